import type { Cancel, Environment, Member, PresenceChange } from "@tutti/protocol";
import { SharedPacket } from "../connections/packet.js";
import type { PresenceExchange } from "./presence-exchange.js";
import type { Entry, HeldMembers } from "./presence-held.js";

type Activity = Member["activity"];

/** A member enters with this. */
export interface Entrance {
  readonly session: string;
  readonly user: string | undefined;
  readonly state: unknown;
  readonly activity: Activity;
}

/** A member who is, or was, connected to this node. */
interface OwnEntry extends Entry {
  member: Member;
  actedAt: number;
  /** Set while the member is away: ends its time of grace. */
  cancelLeave?: Cancel | undefined;
}

interface PresenceParts {
  readonly environment: Environment;
  readonly channel: string;
  readonly graceMs: number;
  /** Tells other nodes of this one's members, and this one of theirs. */
  readonly exchange: Pick<PresenceExchange, "join" | "leave" | "note">;
  /** Hears that there is something to be taken at the end of this turn. */
  readonly onChange: () => void;
}

const NOBODY_ELSE: ReadonlyMap<string, HeldMembers> = new Map();

/**
 * The members of one channel, on all nodes. What changes in a turn leaves at its end, once for each member: whoever joined and left in the same turn
 * was never there, and whoever left and came back only changed.
 */
export class Presence {
  readonly channel: string;
  readonly #parts: PresenceParts;
  readonly #own = new Map<string, OwnEntry>();
  /** What other nodes own, by node. Most channels are at one node, which needs no map for it. */
  #held = NOBODY_ELSE;
  /** Own and held together, by session. */
  readonly #shown = new Map<string, Member>();
  /** Who changed in this turn, with what the others know of it: its last published self, or `undefined` for nothing. */
  #changed = new Map<string, Member | undefined>();
  #phase: "unasked" | "incomplete" | "complete" = "unasked";
  /** Who waits for it to be complete. */
  #waiting: (() => void)[] = [];

  constructor(parts: PresenceParts) {
    this.channel = parts.channel;
    this.#parts = parts;
  }

  /** How many members belong to this node. */
  get ownCount(): number {
    return this.#own.size;
  }

  /** Whether all nodes have told of theirs, or had their time to. */
  get isComplete(): boolean {
    return this.#phase === "complete";
  }

  /** From the first who wants to know on, other nodes are asked, and told. */
  look(): void {
    if (this.#phase !== "unasked") return;
    this.#phase = "incomplete";
    this.#parts.exchange.join(this);
  }

  members(): Member[] {
    this.look();
    return [...this.#shown.values()];
  }

  /** The members once all nodes have told of theirs, or had their time to; what is known where the channel closes before. */
  async completeMembers(): Promise<Member[]> {
    this.look();
    if (!this.isComplete) await new Promise<void>((resolve) => void this.#waiting.push(resolve));
    return this.members();
  }

  has(session: string): boolean {
    return this.#shown.has(session);
  }

  /** Enters, or replaces the state; whoever was away is back. */
  enter({ session, user, state, activity }: Entrance): void {
    this.look();
    this.#own.get(session)?.cancelLeave?.();
    this.#set(session, {
      session,
      ...(user !== undefined && { user }),
      ...(state !== undefined && { state }),
      activity,
      since: this.#shown.get(session)?.since ?? this.#parts.environment.now(),
    });
  }

  setActivity(session: string, activity: Activity): void {
    const entry = this.#own.get(session);
    if (entry !== undefined && entry.member.activity !== activity) this.#set(session, { ...entry.member, activity });
  }

  /** The member's connection is gone: it is shown as away, and leaves after the time of grace, or at once where it is at another node already. */
  away(session: string): void {
    const entry = this.#own.get(session);
    if (entry === undefined || entry.cancelLeave !== undefined) return;
    if (this.#hasMoved(session, entry)) return this.leave(session);
    const { environment, graceMs } = this.#parts;
    entry.member = { ...entry.member, away: true };
    entry.cancelLeave = environment.after(graceMs, () => this.leave(session));
    this.#noteOwn(session);
  }

  leave(session: string): void {
    const entry = this.#own.get(session);
    if (entry === undefined) return;
    entry.cancelLeave?.();
    this.#own.delete(session);
    this.#noteOwn(session);
  }

  /** Everybody of this node leaves. */
  clear(): void {
    for (const session of this.#own.keys()) this.leave(session);
  }

  /** Nobody looks any more. Of members who are still here nothing is told: they are where their node is. */
  close(): void {
    for (const { cancelLeave } of this.#own.values()) cancelLeave?.();
    this.#parts.exchange.leave(this);
    for (const goOn of this.#waiting.splice(0)) goOn();
  }

  /** What this node owns of a session. */
  own(session: string): Entry | undefined {
    return this.#own.get(session);
  }

  ownEntries(): readonly Entry[] {
    return [...this.#own.values()];
  }

  /** What another node owns is kept here from now on. */
  hold(node: string, held: HeldMembers): void {
    this.#held = new Map([...this.#held, [node, held]]);
  }

  release(node: string): void {
    this.#held = new Map([...this.#held].filter(([id]) => id !== node));
  }

  /** What another node owns of a session is another than before. */
  noteHeld(session: string): void {
    const entry = this.#own.get(session);
    if (entry !== undefined) this.#meet(session, entry);
    this.#show(session);
  }

  /** All nodes have told of theirs, or had their time to. */
  complete(): void {
    this.#phase = "complete";
    for (const goOn of this.#waiting.splice(0)) goOn();
    this.#parts.onChange();
  }

  /** What changed since the last call, or `undefined`. */
  takeChanges(): SharedPacket | undefined {
    const changes: PresenceChange[] = [];
    for (const [session, known] of this.#changed) {
      const member = this.#shown.get(session);
      if (member !== undefined) changes.push({ type: known === undefined ? "presence:join" : "presence:update", member });
      else if (known !== undefined) changes.push({ type: "presence:leave", member: known });
    }
    this.#changed = new Map();
    return changes.length === 0 ? undefined : new SharedPacket([{ op: "presence", channel: this.channel, changes }]);
  }

  /** Everybody who is here, for one who starts to watch or missed a change. What changed in this turn is left to the changes that follow. */
  list(): SharedPacket {
    const members = this.members().filter(({ session }) => !this.#changed.has(session));
    for (const known of this.#changed.values()) if (known !== undefined) members.push(known);
    return new SharedPacket([{ op: "presence", channel: this.channel, members, complete: this.isComplete }]);
  }

  #set(session: string, member: Member): void {
    const entry = this.#own.get(session);
    const actedAt = this.#parts.environment.elapsed();
    if (entry === undefined) {
      this.#own.set(session, { member, actedAt });
    } else {
      entry.cancelLeave = undefined;
      entry.actedAt = actedAt;
      if (isSame(entry.member, member)) return;
      entry.member = member;
    }
    this.#noteOwn(session);
  }

  #noteOwn(session: string): void {
    this.#parts.exchange.note(this, session);
    this.#show(session);
  }

  /** A session of this node is, or was, at another one too. */
  #meet(session: string, entry: OwnEntry): void {
    if (entry.member.away === true && this.#hasMoved(session, entry)) return this.leave(session);
    let { since } = entry.member;
    for (const held of this.#held.values()) since = Math.min(since, held.get(session)?.member.since ?? since);
    if (since === entry.member.since) return;
    entry.member = { ...entry.member, since };
    this.#parts.exchange.note(this, session);
  }

  /** Whether another node has the session, it is not away there, and it is known there since when it is here: nobody needs this node's entry. */
  #hasMoved(session: string, { member: { since } }: Entry): boolean {
    for (const held of this.#held.values()) {
      const member = held.get(session)?.member;
      if (member !== undefined && member.away !== true && member.since <= since) return true;
    }
    return false;
  }

  /** Shows the session as it is now. */
  #show(session: string): void {
    const member = this.#merge(session);
    const known = this.#shown.get(session);
    if (member === known || (member !== undefined && known !== undefined && isSame(member, known))) return;
    if (!this.#changed.has(session)) this.#changed.set(session, known);
    if (member === undefined) this.#shown.delete(session);
    else this.#shown.set(session, member);
    this.#parts.onChange();
  }

  /** The session as all nodes together have it: one that is not away goes before one that is, and then the one that acted last. */
  #merge(session: string): Member | undefined {
    let best: Entry | undefined = this.#own.get(session);
    if (this.#held.size === 0) return best?.member;
    let since = best?.member.since ?? Number.POSITIVE_INFINITY;
    for (const held of this.#held.values()) {
      const entry = held.get(session);
      if (entry === undefined) continue;
      since = Math.min(since, entry.member.since);
      if (best === undefined || goesBefore(entry, best)) best = entry;
    }
    return best === undefined || best.member.since === since ? best?.member : { ...best.member, since };
  }
}

function goesBefore(a: Entry, b: Entry): boolean {
  const aIsAway = a.member.away === true;
  return aIsAway === (b.member.away === true) ? a.actedAt > b.actedAt : !aIsAway;
}

function isSame(a: Member, b: Member): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
