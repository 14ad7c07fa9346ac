import type { Codec, Environment } from "@tutti/protocol";
import type { BrokerWatch } from "./broker/broker-watch.js";
import type { Broker } from "./broker/broker.js";
import type { Bus } from "./bus/bus.js";
import type { Nodes } from "./bus/nodes.js";
import type { Lease } from "./commands/lease.js";
import type { Turn } from "./connections/turn.js";
import type { Log } from "./log.js";
import type { Bounds, ServerGuards } from "./options.js";
import type { Policy } from "./policy/policy.js";
import type { PresenceExchange } from "./presence/presence-exchange.js";
import type { SessionTokens } from "./sessions/session-token.js";
import type { SignalRelay } from "./signals/signal-relay.js";

/** What every part of one node shares. */
export interface Services {
  /** This node's name in signals of its own, and in logs. */
  readonly node: string;
  readonly environment: Environment;
  readonly bounds: Bounds;
  /** What connections may speak. */
  readonly codecs: readonly Codec[];
  readonly broker: Broker;
  /** Is told what became of appends and of looks at heads. */
  readonly brokerWatch: BrokerWatch;
  /** What nodes tell each other. */
  readonly bus: Bus;
  /** Which nodes live. */
  readonly nodes: Nodes;
  /** Whether this node may deliver. */
  readonly lease: Lease;
  /** What nodes tell each other about their members. */
  readonly presence: PresenceExchange;
  /** Carries signals between nodes. */
  readonly signalRelay: SignalRelay;
  readonly tokens: SessionTokens;
  readonly policy: Policy;
  readonly turn: Turn;
  readonly log: Log;
  readonly guards: ServerGuards;
}
