import type { Environment } from "@tutti/protocol";
import type { EventRun, Log } from "@tutti/server";
import { decodeDelivery } from "./event-text.js";
import type { Deliveries } from "./deliveries.js";

/** So many channels are looked at in one go after something may have been missed, so that those in use are not held up. */
const SLICE_COUNT = 64;

type Listener = (run: EventRun) => void;

/** What was delivered last of a channel. */
export interface Seen {
  readonly epoch: string;
  readonly seq: number;
  readonly eventId: string;
}

interface Feed {
  readonly listeners: Set<Listener>;
  seen: Seen | undefined;
  /** The message that was read last, and what it says: each listener is told by itself. */
  message: string | undefined;
  run: EventRun | undefined;
}

interface FeedParts {
  readonly environment: Environment;
  readonly log: Log;
  readonly deliveries: Deliveries;
  /** The topic of a channel. */
  readonly nameOf: (channel: string) => string;
  /**
   * The last event in the log, told what was seen last; `isBroken` where that does not stand in the log any more. The log begins a new epoch then, where it
   * can have lost something.
   */
  readonly lastEvent: (channel: string, seen: Seen | undefined, isBroken: boolean) => Promise<EventRun | undefined>;
}

/** What is heard of channels: parsed, in order, and compared with what was heard before. */
export class Feeds {
  readonly #parts: FeedParts;
  readonly #feeds = new Map<string, Feed>();
  /** Whether all are being looked at, or will be again after that. */
  #looking: "no" | "once" | "again" = "no";

  constructor(parts: FeedParts) {
    this.#parts = parts;
  }

  async subscribe(channel: string, listener: Listener): Promise<() => Promise<void>> {
    const feed = this.#feeds.get(channel) ?? { listeners: new Set(), seen: undefined, message: undefined, run: undefined };
    this.#feeds.set(channel, feed);
    const hear = (run: EventRun): void => listener(run);
    feed.listeners.add(hear);
    const leave = (): void => {
      feed.listeners.delete(hear);
      if (feed.listeners.size === 0 && this.#feeds.get(channel) === feed) this.#feeds.delete(channel);
    };
    try {
      const end = await this.#parts.deliveries.listen(this.#parts.nameOf(channel), (message) => {
        const run = this.#read(channel, feed, message);
        if (run !== undefined) hear(run);
      });
      return () => {
        leave();
        return end();
      };
    } catch (error) {
      leave();
      throw error;
    }
  }

  seen(channel: string): Seen | undefined {
    return this.#feeds.get(channel)?.seen;
  }

  /** Hands everybody the last event of each channel, which shows those a hole who missed something. */
  look(): void {
    if (this.#looking !== "no") {
      this.#looking = "again";
      return;
    }
    this.#looking = "once";
    void this.#lookAtAll();
  }

  clear(): void {
    this.#feeds.clear();
  }

  #read(channel: string, feed: Feed, message: string): EventRun | undefined {
    if (message === feed.message) return feed.run;
    feed.message = message;
    feed.run = undefined;
    const run = decodeDelivery(message);
    if (run === undefined) {
      this.#parts.log.warn("a delivery of Redis cannot be read and is dropped", { channel });
      return undefined;
    }
    if (isOtherLog(feed.seen, run)) {
      // What stood where we are is not there any more. To go on here would show nobody that something was taken back.
      this.#look(channel, feed, true).catch((error: unknown) => this.#parts.log.warn("a channel could not be looked at", { channel, error: String(error) }));
      return undefined;
    }
    // The last event may have been looked at before it, and what stands before it, was delivered: a delivery that comes so late is as good as lost.
    const fresh = unseen(feed.seen, run);
    const last = fresh.events.at(-1);
    if (last === undefined) return undefined;
    feed.seen = { epoch: run.epoch, seq: last.seq, eventId: last.eventId };
    feed.run = fresh;
    return fresh;
  }

  async #lookAtAll(): Promise<void> {
    do {
      this.#looking = "once";
      const feeds = [...this.#feeds];
      const failures: unknown[] = [];
      for (let index = 0; index < feeds.length; index += SLICE_COUNT) {
        const looks = feeds.slice(index, index + SLICE_COUNT).map(([channel, feed]) => this.#look(channel, feed, false).catch((error: unknown) => failures.push(error)));
        await Promise.all(looks);
      }
      // The node finds what was missed by the heads of the channels, at the latest.
      if (failures.length > 0) this.#parts.log.warn("channels could not be looked at", { channels: failures.length, error: String(failures[0]) });
    } while (this.#isLookingAgain);
    this.#looking = "no";
  }

  get #isLookingAgain(): boolean {
    return this.#looking === "again";
  }

  async #look(channel: string, feed: Feed, isBroken: boolean): Promise<void> {
    const { seen } = feed;
    const run = await this.#parts.lastEvent(channel, seen, isBroken);
    const event = run?.events[0];
    if (run === undefined || event === undefined) return;
    if (!isBroken && isOtherLog(seen, run)) return this.#look(channel, feed, true);
    // Where something was delivered since, it shows the hole itself.
    if (feed.seen !== seen) return;
    if (seen?.epoch === run.epoch && event.seq <= seen.seq) return;
    feed.seen = { epoch: run.epoch, seq: event.seq, eventId: event.eventId };
    for (const listener of feed.listeners) this.#tell(listener, run);
  }

  #tell(listener: Listener, run: EventRun): void {
    try {
      listener(run);
    } catch (error) {
      this.#parts.environment.defer(() => {
        throw error;
      });
    }
  }
}

/** Whether a run cannot go on from what was seen, though its epoch and its places say so: the log lost what was seen and went on. */
function isOtherLog(seen: Seen | undefined, { epoch, before, events }: EventRun): boolean {
  if (seen === undefined || seen.epoch !== epoch) return false;
  if (events[0]?.prev === seen.seq) return before !== undefined && before !== seen.eventId;
  return events.some(({ seq, eventId }) => seq === seen.seq && eventId !== seen.eventId);
}

/** What of a run comes after what was seen. */
function unseen(seen: Seen | undefined, run: EventRun): EventRun {
  const [first] = run.events;
  if (seen?.epoch !== run.epoch || first === undefined || first.seq > seen.seq) return run;
  return { epoch: run.epoch, events: run.events.filter(({ seq }) => seq > seen.seq), before: seen.eventId };
}
