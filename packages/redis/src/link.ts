/** Hears a message of a topic. */
export type Hear = (message: string, topic: string) => void;

export interface LinkEvents {
  /** It is of no use any more; at most once, and not after `destroy`. */
  lost(error: Error): void;
  /** A part of it has trouble and mends itself: one server of a cluster. */
  troubled(error: Error): void;
  /** A topic is with another server now, and not heard here any more. */
  moved(topic: string): void;
}

/** A way to Redis: what the rest of the broker knows of a client library. */
export interface Link {
  /** Rejects where it cannot be had now, or was destroyed. */
  open(): Promise<void>;
  destroy(): void;
}

/** Whether somebody waits for a request still. */
export interface Waiting {
  readonly isOver: boolean;
}

/** To one server, or to all of a cluster. */
export interface RequestLink extends Link {
  /**
   * Sends a command to the server that has the key: in the order of the calls, those of one turn in one write; never after the link is gone, or nobody waits
   * for it any more.
   */
  send(key: string, command: readonly string[], waiting: Waiting): Promise<unknown>;
  /** Sends it to each master. */
  sendToAll(command: readonly string[]): Promise<readonly unknown[]>;
  /** The address of the master that has a key or topic now. */
  masterOf(name: string): string | undefined;
  /** For the address of each master a tag whose slot it has. */
  masters(): ReadonlyMap<string, string>;
}

/** To one server, for what it delivers. */
export interface DeliveryLink extends Link {
  /** Resolves once Redis acknowledged all. */
  subscribe(topics: readonly string[], hear: Hear): Promise<void>;
  unsubscribe(topic: string, hear: Hear): Promise<void>;
}

/** Makes a link, which is to be opened. */
export type Connect<L extends Link> = (events: LinkEvents) => L;
