import type { Broker } from "@tutti/server";
import type { Participant } from "@tutti/testkit";

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
  /** Stops for a while, and comes back. */
  restart(comeback: Comeback, downMs: number): void;
  /** Ends all faults. */
  heal(): void;
  /** Brings what is known of the log up to date with it. */
  settle(): Promise<void>;
}

/** The methods of a broker, which may be of a class, as an object of their own. */
export function boundBroker(log: Broker): Broker {
  return {
    append: (...of) => log.append(...of),
    refuse: (...of) => log.refuse(...of),
    lookup: (...of) => log.lookup(...of),
    read: (...of) => log.read(...of),
    head: (...of) => log.head(...of),
    locate: (...of) => log.locate(...of),
    trim: (...of) => log.trim(...of),
    subscribe: (...of) => log.subscribe(...of),
    broadcast: (...of) => log.broadcast(...of),
    listen: (...of) => log.listen(...of),
    saveSnapshot: (...of) => log.saveSnapshot(...of),
    loadSnapshot: (...of) => log.loadSnapshot(...of),
    close: () => log.close(),
  };
}
