import type { Broker } from "@tutti/server";
import type { Participant } from "@tutti/testkit";

/** Where the log of a run lives, and what may be done to it. */
export interface BrokerSite {
  /** The log itself, to look at without delay or fault. */
  readonly log: Broker;
  /** The broker as a server that starts in this process has it. */
  connect(server: Participant): Broker;
  /** The server's process is gone, with the machine it ran on or without. */
  lose(server: Participant, machine: "kept" | "gone"): void;
  /** Stops for a while, and comes back with its data or without. */
  restart(data: "kept" | "lost", downMs: number): void;
  /** Ends all faults. */
  heal(): void;
}
