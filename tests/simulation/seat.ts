import type { Position } from "@tutti/protocol";
import type { Client } from "@tutti/client";
import type { Item, Ledger, SimulationContract } from "./contract.js";
import type { Seen } from "./record.js";

type Note = (text: () => string) => void;
type SimulationClient = Client<SimulationContract>;

/** A member as others see it. */
interface SeenMember {
  readonly session: string;
  readonly mood: number | undefined;
}

/** What a seat needs of its channel, whichever pattern it has. */
interface Room {
  readonly subscribe: (mood: number | undefined) => Promise<void>;
  readonly unsubscribe: () => Promise<void>;
  readonly publish: (item: Item, poison: boolean) => Promise<{ readonly position: Position; readonly eventId: string }>;
  readonly signal: (x: number) => void;
  readonly enter: (mood: number) => Promise<void>;
  readonly leavePresence: () => Promise<void>;
  readonly position: () => Position | undefined;
  readonly canonical: () => Ledger | undefined;
  readonly shown: () => Ledger | undefined;
  readonly pendingCount: () => number;
  readonly status: () => string;
  readonly members: () => readonly SeenMember[];
}

/** What an application hears of a channel. */
interface Hearing {
  readonly event: (event: { readonly position: Position; readonly eventId: string; readonly payload: Item }) => void;
  readonly gap: (gap: { readonly from: Position; readonly to: Position }) => void;
  readonly signal: (signal: { readonly session: string }) => void;
}

/** An actor's place in one channel while one page lasts, and all that it saw there. */
export class Seat {
  readonly actor: string;
  readonly channel: string;
  readonly seen: Seen[] = [];
  /** The sessions whose signals arrived. */
  readonly signallers = new Set<string>();
  readonly room: Room;
  readonly #note: Note;
  #isTaken = false;
  #mood: number | undefined;

  constructor(actor: string, channel: string, openRoom: (hearing: Hearing) => Room, note: Note) {
    this.actor = actor;
    this.channel = channel;
    this.#note = note;
    this.room = openRoom({
      event: ({ position, eventId, payload }) => this.#see({ kind: "event", position, eventId, token: payload.token }),
      gap: ({ from, to }) => this.#see({ kind: "gap", from, to }),
      signal: ({ session }) => void this.signallers.add(session),
    });
  }

  /** Whether the application is subscribed, or wants to be. */
  get isTaken(): boolean {
    return this.#isTaken;
  }

  /** The state of the member that the application means to be; `undefined` when it means to be none. */
  get mood(): number | undefined {
    return this.#isTaken ? this.#mood : undefined;
  }

  async sit(): Promise<void> {
    if (this.#isTaken) return;
    this.#isTaken = true;
    try {
      const { seen } = this;
      const before = seen.length;
      await this.room.subscribe(this.#mood);
      if (seen.length === before) this.#see({ kind: "subscribed", position: this.room.position() });
    } catch (error) {
      this.#note(() => `${this.channel} was not subscribed: ${String(error)}`);
    }
  }

  async leave(): Promise<void> {
    this.#isTaken = false;
    const left = this.room.unsubscribe();
    this.#see({ kind: "unsubscribed" });
    await left.catch((error: unknown) => this.#note(() => `unsubscribe ${this.channel}: ${String(error)}`));
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
    done.catch((error: unknown) => this.#note(() => `presence of ${this.channel}: ${String(error)}`));
  }

  #see(seen: Seen): void {
    this.seen.push(seen);
    this.#note(() => `sees ${this.channel} ${JSON.stringify(seen)}`);
  }
}

export function boardSeat(actor: string, client: SimulationClient, note: Note): Seat {
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
      status: () => board.status.getSnapshot().status,
      members: () => board.presence.getSnapshot().people.flatMap(({ devices }) => devices.filter(({ away }) => !away).map(({ session, state }) => ({ session, mood: state?.mood }))),
    };
  };
  return new Seat(actor, "board:1", open, note);
}

export function feedSeat(actor: string, client: SimulationClient, note: Note): Seat {
  const open = (hearing: Hearing): Room => {
    const feed = client.channel("feed:{id}", { id: "1" });
    feed.on("note:add", hearing.event);
    feed.on("cursor:move", hearing.signal);
    feed.on("gap", hearing.gap);
    return {
      subscribe: (mood) => feed.subscribe({ presence: mood === undefined ? true : { state: { mood } } }),
      unsubscribe: () => feed.unsubscribe(),
      publish: (item) => feed.publish("note:add", item),
      signal: (x) => feed.signal("cursor:move", { x }),
      enter: (mood) => feed.presence.enter({ mood }),
      leavePresence: () => feed.presence.leave(),
      position: () => feed.state.position(),
      canonical: () => undefined,
      shown: () => undefined,
      pendingCount: () => feed.pending.getSnapshot().length,
      status: () => feed.status.getSnapshot().status,
      members: () => feed.presence.getSnapshot().people.flatMap(({ devices }) => devices.filter(({ away }) => !away).map(({ session, state }) => ({ session, mood: state?.mood }))),
    };
  };
  return new Seat(actor, "feed:1", open, note);
}
