import { makeSessionRecord, storedSessions, type ClientStorage, type HeldSession, type SessionRecord, type StorageChange } from "@tutti/client";
import type { Cancel } from "@tutti/protocol";
import type { EventOwner, SimulatedClock } from "./clock.js";
import type { Participant } from "./participant.js";
import { RandomStream } from "./random.js";

/** How a browser's storage behaves now. */
export interface StorageConditions {
  /** Until something is taken, and until what was written is kept. */
  readonly delayMs: readonly [low: number, high: number];
  /** Whether no more publishes can be kept: such writes reject. */
  readonly isFull: boolean;
  /** Whether it cannot be opened: nothing is held. */
  readonly isClosed: boolean;
}

export const calmStorage: StorageConditions = { delayMs: [0.1, 3], isFull: false, isClosed: false };

/** What a storage promises. For tests alone: one that does not keep its word shows whether the promise is relied on, and the lack of it seen. */
export interface StoragePromises {
  /** A session has one owner at a time. */
  readonly lock?: false;
  /** What was written is kept when the promise of it resolves. */
  readonly kept?: false;
  /** It is kept that a publish was attempted. */
  readonly attempted?: false;
}

export interface SimulatedStorageOptions {
  readonly clock: SimulatedClock;
  readonly seed: number;
  /** Of the browser, or the machine. */
  readonly name: string;
  readonly promises?: StoragePromises;
}

/** How long it may take until the system notices that a process is gone, and frees what it held. */
const UNLOCK_MS_MAX = 300;
const UNLOCK_AT_ONCE = 0.6;
/** How often the newest state of a channel is written. */
const STATES_EVERY_MS = 1_000;
/** The finest difference in time that keeps two writes in their order. */
const TICK_MS = 0.001;
const STATES_MAX = 20;

/** One page's hold of a session. */
interface Hold {
  readonly page: Participant;
  readonly session: Kept;
  /** What was written and is not kept yet. */
  underWay: number;
  /** How many of those outlive the page; `undefined` while it lives. */
  survivors?: number;
}

interface Kept {
  readonly record: SessionRecord;
  /** The tab that held it last: a reload finds it again. */
  tab: string;
  holder: Hold | undefined;
}

interface Adopter {
  readonly page: Participant;
  readonly adopt: (held: HeldSession) => void;
}

/**
 * The storage of one browser, shared by its pages: it takes its time, keeps writes in their order, and loses the last of them when a page
 * dies. A lock is owned by the page: it is free a moment after the page was stopped, and kept while the page is frozen.
 */
export class SimulatedStorage {
  conditions: StorageConditions = calmStorage;
  readonly #options: SimulatedStorageOptions;
  readonly #promises: StoragePromises;
  readonly #random: RandomStream;
  /** What happens in the browser's own process. */
  readonly #browser: EventOwner;
  readonly #sessions = new Set<Kept>();
  readonly #adopters = new Set<Adopter>();
  #keptAtMs = 0;

  constructor(options: SimulatedStorageOptions) {
    this.#options = options;
    this.#promises = options.promises ?? {};
    this.#random = new RandomStream(options.seed, `storage of ${options.name}`);
    this.#browser = { name: options.name, frozenUntilMs: 0 };
  }

  /** How many publishes are kept, in all sessions. */
  get publishCount(): number {
    let count = 0;
    for (const { record } of this.#sessions) count += record.stored()?.publishes.length ?? 0;
    return count;
  }

  /** The storage as a page has it. @param tab the pages that one tab loads one after the other name the same */
  open(page: Participant, tab: string): ClientStorage {
    return storedSessions({
      hold: () =>
        new Promise((resolve, reject) => {
          this.#inOrder("hold", () => {
            if (page.isStopped) return;
            if (this.conditions.isClosed) this.#tell(page, () => reject(new Error("the storage cannot be opened")));
            else {
              const session = this.#choose(tab);
              session.tab = tab;
              const held = this.#take(session, page);
              this.#tell(page, () => resolve(held));
            }
          });
        }),
      orphans: (adopt: (held: HeldSession) => void) => this.#adopt({ page, adopt }),
    });
  }

  #adopt(adopter: Adopter): Cancel {
    this.#adopters.add(adopter);
    adopter.page.whenStopped(() => void this.#adopters.delete(adopter));
    for (const session of this.#sessions) this.#offerSoon(session);
    return () => void this.#adopters.delete(adopter);
  }

  /** A session that nobody holds: the tab's own, else any, else a new one. */
  #choose(tab: string): Kept {
    const free = [...this.#sessions].filter((session) => session.holder === undefined || this.#promises.lock === false);
    const session = free.find((one) => one.tab === tab) ?? (free.length > 0 ? this.#random.pick(free) : undefined);
    if (session !== undefined) return session;
    const fresh: Kept = { record: makeSessionRecord(STATES_MAX), tab, holder: undefined };
    this.#sessions.add(fresh);
    return fresh;
  }

  #take(session: Kept, page: Participant): HeldSession {
    const hold: Hold = { page, session, underWay: 0 };
    session.holder = hold;
    page.whenStopped(() => this.#inherit(hold));
    return this.#heldBy(hold);
  }

  #heldBy(hold: Hold): HeldSession {
    const { page, session } = hold;
    const states = new Map<string, Extract<StorageChange, { kind: "state" }>>();
    const writeStates = (): void => {
      for (const state of states.values()) session.record.apply(state);
      states.clear();
    };
    return {
      stored: session.record.stored(),
      write: (changes) => {
        const isFirst = states.size === 0;
        for (const change of changes) if (change.kind === "state") states.set(change.channel, change);
        const others = changes.filter(({ kind }) => kind !== "state");
        if (others.length > 0) return this.#write(hold, others);
        if (isFirst && states.size > 0) {
          // Once for all that come meanwhile; a page that is gone has lost them.
          this.#later(STATES_EVERY_MS, "states", () => !page.isStopped && session.holder === hold && writeStates());
        }
        return Promise.resolve();
      },
      release: ({ forget = false } = {}) =>
        new Promise((resolve) => {
          this.#inOrder("release", () => {
            if (page.isStopped) return;
            if (session.holder === hold) {
              writeStates();
              if (forget) this.#sessions.delete(session);
              this.#free(hold);
            }
            this.#tell(page, resolve);
          });
        }),
    };
  }

  #write(hold: Hold, changes: readonly StorageChange[]): Promise<void> {
    const { page, session } = hold;
    return new Promise((resolve, reject) => {
      hold.underWay++;
      if (this.#promises.kept === false) resolve();
      this.#inOrder("write", () => {
        hold.underWay--;
        if (hold.survivors !== undefined && hold.survivors-- <= 0) return;
        if (this.conditions.isFull && changes.some(({ kind }) => kind === "put")) return this.#tell(page, () => reject(new Error("the quota is used up")));
        const isOwner = session.holder === hold || this.#promises.lock === false;
        if (isOwner) for (const change of changes) session.record.apply(this.#asKept(change));
        this.#tell(page, resolve);
      });
    });
  }

  #asKept(change: StorageChange): StorageChange {
    if (change.kind !== "put" || this.#promises.attempted !== false) return change;
    return { ...change, publish: { ...change.publish, attempted: false } };
  }

  /** The page is gone: some of what it wrote last is kept, and its lock is free in a moment. */
  #inherit(hold: Hold): void {
    hold.survivors = this.#random.below(hold.underWay + 1);
    this.#later(this.#random.chance(UNLOCK_AT_ONCE) ? 0 : this.#random.between(0, UNLOCK_MS_MAX), "unlock", () => this.#free(hold));
  }

  #free(hold: Hold): void {
    const { session } = hold;
    if (session.holder !== hold) return;
    session.holder = undefined;
    this.#offerSoon(session);
  }

  /** Gives a session whose owner is gone to somebody who asked for such, if it holds anything. */
  #offerSoon(session: Kept): void {
    this.#inOrder("offer", () => {
      const isLeft = this.#sessions.has(session) && session.holder === undefined && (session.record.stored()?.publishes.length ?? 0) > 0;
      if (!isLeft || this.#adopters.size === 0) return;
      const { page, adopt } = this.#random.pick([...this.#adopters]);
      const held = this.#take(session, page);
      this.#tell(page, () => adopt(held));
    });
  }

  /** After all that was asked before: who begins to look for what others left has taken a session first. */
  #inOrder(kind: string, task: () => void): void {
    const { nowMs } = this.#options.clock;
    this.#keptAtMs = Math.max(this.#keptAtMs + TICK_MS, nowMs + this.#random.between(...this.conditions.delayMs));
    this.#later(this.#keptAtMs - nowMs, kind, task);
  }

  #later(inMs: number, kind: string, task: () => void): void {
    this.#options.clock.plan({ inMs, kind, owner: this.#browser }, task);
  }

  #tell(page: Participant, task: () => void): void {
    this.#options.clock.plan({ inMs: 0, kind: "stored", owner: page }, task);
  }
}
