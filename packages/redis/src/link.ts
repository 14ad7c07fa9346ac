/** Hears a message of a topic. */
export type Hear = (message: string, topic: string) => void;

export interface LinkEvents {
  /** It is of no use any more; at most once, and not after `destroy`. */
  lost(error: Error): void;
  /** A part of it has trouble and mends itself: one server of a cluster. */
  troubled(error: Error): void;
  /** A part of it is there again, and what it should have delivered meanwhile is missing. */
  resumed(): void;
}

/** A way to Redis, be it one server or a cluster: what the rest of the broker knows of a client library. */
export interface Link {
  /** Rejects where it cannot be had now, or was destroyed. */
  open(): Promise<void>;
  /** Sends a command to the server that has the key. In the order of the calls, those of one turn in one write; never after the link is gone. */
  send(key: string, command: readonly string[]): Promise<unknown>;
  /** Sends it to each master. */
  sendToAll(command: readonly string[]): Promise<readonly unknown[]>;
  /** Resolves once Redis acknowledged all. */
  subscribe(topics: readonly string[], hear: Hear): Promise<void>;
  unsubscribe(topic: string, hear: Hear): Promise<void>;
  /** For each master a tag whose slot it has. */
  tags(): readonly string[];
  destroy(): void;
}

/** Makes a link, which is to be opened. */
export type Connect = (events: LinkEvents) => Link;
