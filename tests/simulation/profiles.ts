import type { StoragePromises } from "@tutti/testkit";
import { commonFaults, type FaultName } from "./faults.js";

/** How likely each fault is to exist in a seed; what is not named does not. */
export type Profile = Readonly<Partial<Record<FaultName, number>>>;

/** Those that make a run long, or after which less is promised, are rarer. */
const rare: Profile = { "broker-data-lost": 0.07, month: 0.05, "broker-rolled-back": 0, "commit-only": 0.1, "slow-network": 0.15, "broker-slow": 0.15 };
const mixed: Profile = Object.fromEntries(commonFaults.map((name) => [name, rare[name] ?? 0.2]));

export const profiles: Readonly<Record<string, Profile>> = {
  mixed,
  calm: {},
  network: { cut: 0.9, "half-open": 0.4, stall: 0.3, refused: 0.2, silent: 0.2, "slow-network": 0.4, resubscribe: 0.4 },
  pages: { offline: 0.6, sleep: 0.6, reload: 0.6, "wrong-clocks": 0.4, resubscribe: 0.3, "slow-network": 0.3 },
  server: { "server-crash": 0.7, "server-drain": 0.4, "server-freeze": 0.4, "server-busy": 0.3, cut: 0.3, "broker-slow": 0.4 },
  /** Turns that take long, so that slices are many and fan-outs wait for each other. */
  load: { "server-busy": 1, resubscribe: 0.5, stall: 0.3, cut: 0.4, kicked: 0.3, banned: 0.3, "deliveries-lost": 0.3, trim: 0.3, "narrow-network": 0.3 },
  broker: { "broker-refuses": 0.5, "broker-answers-lost": 0.5, "broker-hangs": 0.3, "broker-restart": 0.4, "broker-slow": 0.5, cut: 0.3 },
  bus: { "deliveries-lost": 1, "deliveries-repeated": 0.7, "broker-slow": 0.4, cut: 0.4, "slow-network": 0.3 },
  /** A server that repeats and forgets: the client's own guards. */
  frames: { "frames-repeated": 0.8, "frames-lost": 0.6, cut: 0.3, "slow-network": 0.3, resubscribe: 0.3 },
  acks: { "replies-lost": 0.7, "replies-repeated": 0.7, "acks-late": 0.7, cut: 0.4, reload: 0.3, "slow-network": 0.3, "server-crash": 0.3 },
  history: {
    trim: 0.9,
    "tiny-history": 0.5,
    "deliveries-lost": 0.4,
    "broker-data-lost": 0.3,
    cut: 0.9,
    offline: 0.5,
    sleep: 0.3,
    resubscribe: 0.3,
    "broker-slow": 0.3,
  },
  /** The durable log in the server's own process, on a disk. */
  disk: {
    "durable-log": 1,
    "commit-only": 0.2,
    "disk-slow": 0.5,
    "disk-fails": 0.4,
    "server-crash": 0.9,
    "server-freeze": 0.2,
    cut: 0.4,
    trim: 0.3,
    "tiny-history": 0.3,
    "replies-lost": 0.2,
  },
  /** Sessions that outlive their pages. */
  storage: {
    "two-tabs": 0.6,
    reload: 0.6,
    "user-changes": 0.3,
    "page-cache": 0.4,
    "slow-storage": 0.5,
    "full-storage": 0.3,
    "closed-storage": 0.2,
    cut: 0.4,
    offline: 0.3,
    "slow-network": 0.3,
    "server-crash": 0.2,
  },
  /** Who may be there, and who one is. */
  access: { banned: 0.9, kicked: 0.5, "tokens-expire": 0.6, "wrong-clocks": 0.3, cut: 0.5, offline: 0.4, "server-crash": 0.3, "slow-network": 0.3 },
  /** A month of absence. */
  absence: { month: 1, cut: 0.5, "broker-answers-lost": 0.4, "replies-lost": 0.4, reload: 0.3, offline: 0.4, "durable-log": 0.3, "tokens-expire": 0.2 },
  /**
   * A replica that had not come so far takes over, in the same epoch. Found out by the id of the event that stands where one was; who has only
   * a position, from the start of a subscription or a snapshot, may miss it, about three times in a thousand seeds: no part of `mixed`.
   */
  failover: { "broker-rolled-back": 1, "broker-slow": 0.4, cut: 0.5, offline: 0.5, reload: 0.3, trim: 0.2 },
};

/** How many nodes there are where there are several, unless told otherwise. */
export const SEVERAL = 3;

/** Those of several nodes. */
export const nodeProfiles: Readonly<Record<string, Profile>> = {
  /** Everything at once. The log that is embedded in a server has no other. */
  cluster: {
    ...mixed,
    "durable-log": 0,
    "commit-only": 0,
    "disk-slow": 0,
    "disk-fails": 0,
    "server-crash": 0.4,
    "node-freeze": 0.25,
    deploy: 0.2,
    "broker-cut": 0.3,
    wedged: 0.25,
    "broadcasts-lost": 0.25,
    "broadcasts-repeated": 0.2,
    "broadcasts-late": 0.2,
  },
  /** Nodes that do not hear each other, nor the broker, and do not know it. */
  partitions: {
    "broker-cut": 1,
    wedged: 0.5,
    "node-freeze": 0.3,
    "broadcasts-lost": 0.5,
    "broadcasts-late": 0.3,
    "server-crash": 0.3,
    cut: 0.4,
    "broker-slow": 0.2,
    kicked: 0.2,
    banned: 0.2,
  },
  /** Nodes that come and go, as they should and as they should not. */
  deploys: { deploy: 1, "server-crash": 0.4, cut: 0.4, resubscribe: 0.3, reload: 0.3, "broadcasts-late": 0.3, "server-busy": 0.2, "slow-network": 0.2, kicked: 0.2 },
};

export interface ClientGuardsOff {
  readonly dedupe?: false;
  readonly recovery?: false;
  readonly order?: false;
  readonly ack?: false;
  /** What waited for longer than a broker remembers is not sent. */
  readonly age?: false;
}

export interface ServerGuardsOff {
  readonly chain?: false;
  readonly headCheck?: false;
  readonly join?: false;
  readonly release?: false;
  readonly sequence?: false;
  readonly fence?: false;
  readonly nodeDeath?: false;
  readonly incarnation?: false;
  readonly presenceDigest?: false;
  /** A bound that leaves nothing of a guard. */
  readonly bounds?: { readonly preparedMs: number };
}

export interface BrokerGuards {
  /** The log counts publishers. */
  readonly count?: false;
  /** A read is told which event was seen at its position. */
  readonly lastSeenId?: false;
}

/** Guards of the product that are switched off. */
export interface GuardsOff {
  readonly client?: ClientGuardsOff;
  readonly server?: ServerGuardsOff;
  readonly broker?: BrokerGuards;
  /** What the disk under a durable log promises. */
  readonly disk?: { readonly flush?: false };
  /** What a page's storage promises. */
  readonly storage?: StoragePromises;
}

/** A guard of the product that can be switched off, and the faults that it is for. */
export interface Break extends GuardsOff {
  readonly what: string;
  readonly profile: Profile;
  /** How many nodes it takes; one unless given. */
  readonly nodes?: number;
}

const reconnects: Profile = { cut: 1, "slow-network": 0.5, "server-crash": 0.4, "broker-slow": 0.5 };

export const breaks: Readonly<Record<string, Break>> = {
  dedupe: { what: "the client drops events that it has seen", profile: { "frames-repeated": 1, cut: 0.5 }, client: { dedupe: false } },
  recovery: { what: "the client recovers from its position", profile: reconnects, client: { recovery: false } },
  order: { what: "the client sends again in order", profile: { ...reconnects, "broker-refuses": 1 }, client: { order: false } },
  ack: { what: "the client keeps a publish until it is acknowledged", profile: reconnects, client: { ack: false } },
  count: { what: "the broker counts publishers", profile: { ...reconnects, "broker-answers-lost": 1 }, broker: { count: false } },
  chain: { what: "the server sees holes in what its broker delivers", profile: { "deliveries-lost": 1, "deliveries-repeated": 1, resubscribe: 1, reload: 1 }, server: { chain: false } },
  headCheck: { what: "the server looks at the heads of quiet channels", profile: { "deliveries-lost": 1 }, server: { headCheck: false } },
  lastSeenId: {
    what: "a read is told which event was seen at its position",
    profile: { "broker-rolled-back": 1, "broker-slow": 0.5, cut: 1, offline: 0.5 },
    broker: { lastSeenId: false },
  },
  flush: { what: "an append is acknowledged after the flush", profile: { "durable-log": 1, "disk-slow": 1, "server-crash": 1, cut: 0.3 }, disk: { flush: false } },
  handlerOnce: {
    what: "a handler runs once on a node",
    profile: { "broker-refuses": 1, "broker-answers-lost": 0.5, "broker-slow": 0.5, cut: 0.5 },
    server: { bounds: { preparedMs: 1 } },
  },
  attempted: { what: "it is stored that a publish was attempted", profile: { reload: 1, cut: 1, "slow-network": 0.5, "replies-lost": 0.5 }, storage: { attempted: false } },
  lock: { what: "a session has one owner at a time", profile: { "two-tabs": 1, reload: 0.5, cut: 0.5 }, storage: { lock: false } },
  storeFirst: { what: "a publish is stored before it is sent", profile: { reload: 1, "two-tabs": 1, "slow-storage": 1 }, storage: { kept: false } },
  age: { what: "a publish that waited too long is not sent", profile: { month: 1, cut: 1, "broker-answers-lost": 1, reload: 0.5 }, client: { age: false } },
  release: { what: "what a channel holds leaves by itself", profile: { "server-busy": 1 }, server: { release: false } },
  sequence: {
    what: "what answers a connection leaves after what waited for it before",
    profile: { "server-busy": 1, resubscribe: 1, kicked: 1, "slow-network": 0.5 },
    server: { sequence: false },
  },
  fence: {
    what: "the connection that a session has at another node is ended when it opens one",
    profile: { "half-open": 1, offline: 1, cut: 0.5, "slow-network": 0.3 },
    nodes: SEVERAL,
    server: { fence: false },
  },
  nodeDeath: { what: "a node that fell silent is taken for dead", profile: { "server-crash": 1, cut: 0.3 }, nodes: SEVERAL, server: { nodeDeath: false } },
  incarnation: {
    what: "a node that was taken for dead comes back in a new life",
    profile: { "node-freeze": 1, "broker-cut": 1, offline: 0.3 },
    nodes: SEVERAL,
    server: { incarnation: false },
  },
  presenceDigest: {
    what: "what heartbeats say of a node's members is compared with what is known of them",
    profile: { "broadcasts-lost": 1, wedged: 0.5, cut: 0.5 },
    nodes: SEVERAL,
    server: { presenceDigest: false },
  },
  join: { what: "a replay joins the live events by position", profile: { ...reconnects, "broker-slow": 1 }, server: { join: false } },
};
