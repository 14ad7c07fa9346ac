import type { FaultName } from "./faults.js";
import { faultNames } from "./faults.js";

/** How likely each fault is to exist in a seed; what is not named does not. */
export type Profile = Readonly<Partial<Record<FaultName, number>>>;

/** Those that make a run long, or after which less is promised, are rarer. */
const rare: Profile = { "broker-data-lost": 0.07, month: 0, "slow-network": 0.15, "broker-slow": 0.15 };
const mixed: Profile = Object.fromEntries(faultNames.map((name) => [name, rare[name] ?? 0.2]));

export const profiles: Readonly<Record<string, Profile>> = {
  mixed,
  calm: {},
  network: { cut: 0.9, "half-open": 0.4, stall: 0.3, refused: 0.2, silent: 0.2, "slow-network": 0.4, resubscribe: 0.4 },
  pages: { offline: 0.6, sleep: 0.6, reload: 0.6, "wrong-clocks": 0.4, resubscribe: 0.3, "slow-network": 0.3 },
  server: { "server-crash": 0.7, "server-drain": 0.4, "server-freeze": 0.4, cut: 0.3, "broker-slow": 0.4 },
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
  /** Who may be there, and who one is. */
  access: { banned: 0.9, kicked: 0.5, "tokens-expire": 0.6, "wrong-clocks": 0.3, cut: 0.5, offline: 0.4, "server-crash": 0.3, "slow-network": 0.3 },
};

export interface ClientGuardsOff {
  readonly dedupe?: false;
  readonly recovery?: false;
  readonly order?: false;
  readonly ack?: false;
}

export interface BrokerGuards {
  readonly count?: false;
}

/** Guards of the product that are switched off. */
export interface GuardsOff {
  readonly client?: ClientGuardsOff;
  readonly server?: { readonly chain?: false; readonly headCheck?: false; readonly join?: false };
  readonly broker?: BrokerGuards;
}

/** A guard of the product that can be switched off, and the faults that it is for. */
export interface Break extends GuardsOff {
  readonly what: string;
  readonly profile: Profile;
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
  join: { what: "a replay joins the live events by position", profile: { ...reconnects, "broker-slow": 1 }, server: { join: false } },
};
