import type { Broker } from "@tutti/server";
import type { LinkCut, Participant } from "@tutti/testkit";

/** With its data, without, or with the data of a copy that had not come so far, and goes on from there in the same epoch. */
export type Comeback = "kept" | "lost" | { readonly writesLost: number };

/** Where the log of a run lives, and what may be done to it. */
export interface BrokerSite {
  /** The log itself, to look at without delay or fault. */
  readonly log: Broker;
  /** The broker as a server that starts in this process has it. */
  connect(server: Participant): Broker;
  /** The server's process is gone, with the machine it ran on or without. */
  lose(server: Participant, machine: "kept" | "gone"): void;
  /** Cuts the link of a server, until the answer is called. */
  cut(server: Participant, cut: LinkCut): () => void;
  /** What cuts hold back of what servers asked never arrives. */
  loseHeld(): void;
  /** Delivers nothing more to what a server has subscribed to, though it answers all that is asked, until the answer is called. */
  wedge(server: Participant): () => void;
  /** Stops for a while, and comes back. */
  restart(comeback: Comeback, downMs: number): void;
  /** Ends all faults. */
  heal(): void;
  /** Brings what is known of the log up to date with it. */
  settle(): Promise<void>;
}
