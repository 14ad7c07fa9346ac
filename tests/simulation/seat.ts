import { TuttiError, type Position, type Rewind } from "@tutti/protocol";
import type { Client, PresenceList, SubscriptionInfo } from "@tutti/client";
import type { Item, Ledger, SimulationContract } from "./contract.js";
import type { Seen, Sight } from "./record.js";

/** Who sees what a seat sees, and when. */
export interface Witness {
  readonly actor: string;
  readonly note: (text: () => string) => void;
  readonly nowMs: () => number;
  /** Its public id, while it has one. */
  readonly session: () => string | undefined;
}

type SimulationClient = Client<SimulationContract>;

/** A member as others see it. */
interface SeenMember {
  readonly session: string;
  readonly mood: number | undefined;
  readonly isAway: boolean;
}

/** Who is there, as far as it is known. */
interface Attendance {
  readonly isComplete: boolean;
  readonly members: readonly SeenMember[];
}

/** What a seat needs of its channel, whichever pattern it has. */
interface Room {
  /** A channel with state has one start, and cannot rewind. */
  readonly subscribe: (mood: number | undefined, rewind: Rewind | undefined) => Promise<void>;
  readonly unsubscribe: () => Promise<void>;
  readonly publish: (item: Item, poison: boolean) => Promise<{ readonly position: Position; readonly eventId: string }>;
  readonly signal: (x: number) => void;
  readonly enter: (mood: number) => Promise<void>;
  readonly leavePresence: () => Promise<void>;
  readonly position: () => Position | undefined;
  readonly canonical: () => Ledger | undefined;
  readonly shown: () => Ledger | undefined;
  readonly pendingCount: () => number;
  readonly status: { getSnapshot: () => SubscriptionInfo; subscribe: (listener: () => void) => unknown };
  readonly attendance: () => Attendance;
}

/** What an application hears of a channel. */
interface Hearing {
  readonly event: (event: { readonly position: Position; readonly eventId: string; readonly payload: Item }) => void;
  readonly gap: (gap: { readonly from: Position; readonly to: Position }) => void;
  readonly signal: (signal: { readonly session: string }) => void;
}

/** How a server sends a subscriber away who may not, or shall not, be there. */
const SENT_AWAY: ReadonlySet<string> = new Set(["FORBIDDEN", "SUBSCRIPTION_REVOKED", "KICKED"]);

/** An actor's place in one channel while one page lasts, and all that it saw there. */
export class Seat {
  readonly actor: string;
  readonly channel: string;
  readonly seen: Seen[] = [];
  readonly room: Room;
  readonly #witness: Witness;
  #isTaken = false;
  /** Whether the present subscription has been live. */
  #hasBegun = false;
  #mood: number | undefined;
  #heardItself = false;

  constructor(witness: Witness, channel: string, openRoom: (hearing: Hearing) => Room) {
    this.actor = witness.actor;
    this.channel = channel;
    this.#witness = witness;
    this.room = openRoom({
      event: ({ position, eventId, payload }) => this.#see({ kind: "event", position, eventId, token: payload.token }),
      gap: ({ from, to }) => this.#see({ kind: "gap", from, to }),
      signal: ({ session }) => {
        if (session === witness.session()) this.#heardItself = true;
      },
    });
    this.room.status.subscribe(() => this.#noticeStatus());
  }

  get status(): string {
    return this.room.status.getSnapshot().status;
  }

  /** Whether a signal arrived of the session that the page had then. */
  get heardItself(): boolean {
    return this.#heardItself;
  }

  /** Whether the application is subscribed, or wants to be. */
  get isTaken(): boolean {
    return this.#isTaken;
  }

  /** The state of the member that the application means to be; `undefined` when it means to be none. */
  get mood(): number | undefined {
    return this.#isTaken ? this.#mood : undefined;
  }

  async sit(rewind?: Rewind): Promise<void> {
    if (this.#isTaken) return;
    this.#isTaken = true;
    try {
      await this.room.subscribe(this.#mood, rewind);
    } catch (error) {
      this.#witness.note(() => `${this.channel} was not subscribed: ${String(error)}`);
    }
  }

  async leave(): Promise<void> {
    this.#isTaken = false;
    const left = this.room.unsubscribe();
    this.#end();
    await left.catch((error: unknown) => this.#witness.note(() => `unsubscribe ${this.channel}: ${String(error)}`));
  }

  publish(item: Item, poison: boolean): ReturnType<Room["publish"]> {
    return this.room.publish(item, poison);
  }

  signal(x: number): void {
    this.room.signal(x);
  }

  /** Enters presence, or changes it; `undefined` leaves it. */
  setMood(mood: number | undefined): void {
    if (!this.#isTaken) return;
    this.#mood = mood;
    const done = mood === undefined ? this.room.leavePresence() : this.room.enter(mood);
    done.catch((error: unknown) => {
      this.#witness.note(() => `presence of ${this.channel}: ${String(error)}`);
      // Whoever was refused is not there, also where the connection ended before the subscription did; other errors only end the waiting.
      if (error instanceof TuttiError && error.code === "FORBIDDEN" && this.#mood === mood) this.#mood = undefined;
    });
  }

  /** It is live, though perhaps the promise of that was given up before; or the server sent the application away, which does not come back by itself. */
  #noticeStatus(): void {
    const { status, error } = this.room.status.getSnapshot();
    if (status === "live" && !this.#hasBegun) {
      this.#hasBegun = true;
      this.#see({ kind: "subscribed", position: this.room.position() });
    }
    const isSentAway = (status === "refused" || status === "left") && SENT_AWAY.has(error?.code ?? "");
    if (!isSentAway || !this.#isTaken) return;
    this.#isTaken = false;
    this.#mood = undefined;
    this.#end();
  }

  #end(): void {
    this.#hasBegun = false;
    this.#see({ kind: "unsubscribed" });
  }

  #see(sight: Sight): void {
    this.seen.push({ ...sight, atMs: this.#witness.nowMs() });
    this.#witness.note(() => `sees ${this.channel} ${JSON.stringify(sight)}`);
  }
}

/** Each device of each person. */
function attendanceOf({ complete, people }: PresenceList<{ readonly mood: number }>): Attendance {
  const members = people.flatMap(({ devices }) => devices.map(({ session, state, away }) => ({ session, mood: state?.mood, isAway: away })));
  return { isComplete: complete, members };
}

export function boardSeat(witness: Witness, client: SimulationClient): Seat {
  const open = (hearing: Hearing): Room => {
    const board = client.channel("board:{id}", { id: "1" });
    board.on("mark:add", hearing.event);
    board.on("mark:poison", hearing.event);
    board.on("cursor:move", hearing.signal);
    board.on("gap", hearing.gap);
    return {
      subscribe: (mood) => board.subscribe({ presence: mood === undefined ? true : { state: { mood } } }),
      unsubscribe: () => board.unsubscribe(),
      publish: (item, poison) => board.publish(poison ? "mark:poison" : "mark:add", item),
      signal: (x) => board.signal("cursor:move", { x }),
      enter: (mood) => board.presence.enter({ mood }),
      leavePresence: () => board.presence.leave(),
      position: () => board.state.position(),
      canonical: () => board.state.canonical(),
      shown: () => board.state.getSnapshot(),
      pendingCount: () => board.pending.getSnapshot().length,
      status: board.status,
      attendance: () => attendanceOf(board.presence.getSnapshot()),
    };
  };
  return new Seat(witness, "board:1", open);
}

export function feedSeat(witness: Witness, client: SimulationClient): Seat {
  const open = (hearing: Hearing): Room => {
    const feed = client.channel("feed:{id}", { id: "1" });
    feed.on("note:add", hearing.event);
    feed.on("cursor:move", hearing.signal);
    feed.on("gap", hearing.gap);
    return {
      subscribe: (mood, rewind) => feed.subscribe({ presence: mood === undefined ? true : { state: { mood } }, ...(rewind !== undefined && { rewind }) }),
      unsubscribe: () => feed.unsubscribe(),
      publish: (item) => feed.publish("note:add", item),
      signal: (x) => feed.signal("cursor:move", { x }),
      enter: (mood) => feed.presence.enter({ mood }),
      leavePresence: () => feed.presence.leave(),
      position: () => feed.state.position(),
      canonical: () => undefined,
      shown: () => undefined,
      pendingCount: () => feed.pending.getSnapshot().length,
      status: feed.status,
      attendance: () => attendanceOf(feed.presence.getSnapshot()),
    };
  };
  return new Seat(witness, "feed:1", open);
}
