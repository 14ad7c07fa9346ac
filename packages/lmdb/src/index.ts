export { lmdbBroker, type LmdbBrokerOptions } from "./lmdb-broker.js";
export { durableBroker, type DurableBrokerOptions } from "./durable-broker.js";
export type { Durability } from "./log-meta.js";
export type { Entry, Key, KeyRange, Store, Write } from "./store.js";
