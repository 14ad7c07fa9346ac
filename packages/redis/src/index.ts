export { redisBroker } from "./redis-broker.js";
export type { RedisBrokerOptions, RedisPlace } from "./options.js";
