import type { LinkConditions } from "./lane.js";
import type { Participant } from "./participant.js";

/** What stands between a client and a server over the network, as faults are done to it: a connection, or one request with its answer. */
export interface SimulatedWay {
  readonly name: string;
  readonly client: Participant;
  /** Who took it, once somebody has. */
  readonly server: Participant | undefined;
  /** Whether either end still believes in it. */
  readonly isOpen: boolean;
  /** Whether bytes vanish while both ends believe in it. */
  readonly isHalfOpen: boolean;
  /** What the server has sent and its process still holds. */
  readonly outboxBytes: number;
  /** The size of the largest message that the server has sent. */
  readonly largestMessageBytes: number;
  /** Ends it for both, who are told after a moment; what was under way is lost. */
  cut(reason: string): void;
  /** From now on bytes vanish, and nobody is told. */
  lose(): void;
  /** The client stops reading. */
  stallReader(): void;
  /** Nothing moves, in either direction. */
  stall(): void;
  resume(): void;
  /** What is sent from now on is treated like this; what is under way arrives first. */
  reshape(conditions: LinkConditions): void;
  /** The server's process is gone: with it running kernel, which says so, or with the whole machine, which says nothing. */
  loseServer(machine: "kept" | "gone"): void;
}
