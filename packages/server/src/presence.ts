import type { Cancel, Environment, Member, PresenceChange } from "@tutti/protocol";
import { SharedPacket } from "./packet.js";

type Activity = Member["activity"];

/** A member enters with this. */
export interface Entrance {
  readonly session: string;
  readonly user: string | undefined;
  readonly state: unknown;
  readonly activity: Activity;
}

interface Entry {
  member: Member;
  /** Set while the member is away: ends its time of grace. */
  cancelLeave?: Cancel;
}

/**
 * The members of one channel. What changes in a turn leaves at its end, once for each member: whoever joined and left in the same turn was
 * never there, and whoever left and came back only changed.
 */
export class Presence {
  readonly #environment: Environment;
  readonly #channel: string;
  readonly #graceMs: number;
  readonly #onChange: () => void;
  readonly #entries = new Map<string, Entry>();
  /** Who changed in this turn, with what the others know of it: its last published self, or `undefined` for nothing. */
  #changed = new Map<string, Member | undefined>();

  constructor(environment: Environment, channel: string, graceMs: number, onChange: () => void) {
    this.#environment = environment;
    this.#channel = channel;
    this.#graceMs = graceMs;
    this.#onChange = onChange;
  }

  get size(): number {
    return this.#entries.size;
  }

  members(): Member[] {
    return Array.from(this.#entries.values(), ({ member }) => member);
  }

  has(session: string): boolean {
    return this.#entries.has(session);
  }

  /** Enters, or replaces the state; whoever was away is back. */
  enter({ session, user, state, activity }: Entrance): void {
    const entry = this.#entries.get(session);
    entry?.cancelLeave?.();
    const member: Member = {
      session,
      ...(user !== undefined && { user }),
      ...(state !== undefined && { state }),
      activity,
      since: entry?.member.since ?? this.#environment.now(),
    };
    if (entry !== undefined && JSON.stringify(entry.member) === JSON.stringify(member)) return;
    this.#note(session);
    this.#entries.set(session, { member });
  }

  setActivity(session: string, activity: Activity): void {
    const entry = this.#entries.get(session);
    if (entry === undefined || entry.member.activity === activity) return;
    this.#note(session);
    entry.member = { ...entry.member, activity };
  }

  /** The member's connection is gone: it is shown as away, and leaves after the time of grace. */
  away(session: string): void {
    const entry = this.#entries.get(session);
    if (entry === undefined || entry.cancelLeave !== undefined) return;
    this.#note(session);
    entry.member = { ...entry.member, away: true };
    entry.cancelLeave = this.#environment.after(this.#graceMs, () => this.leave(session));
  }

  leave(session: string): void {
    const entry = this.#entries.get(session);
    if (entry === undefined) return;
    entry.cancelLeave?.();
    this.#note(session);
    this.#entries.delete(session);
  }

  /** Everybody leaves. */
  clear(): void {
    for (const session of this.#entries.keys()) this.leave(session);
  }

  /** What changed since the last call, or `undefined`. */
  takeChanges(): SharedPacket | undefined {
    const changes: PresenceChange[] = [];
    for (const [session, known] of this.#changed) {
      const member = this.#entries.get(session)?.member;
      if (member !== undefined) changes.push({ type: known === undefined ? "presence:join" : "presence:update", member });
      else if (known !== undefined) changes.push({ type: "presence:leave", member: known });
    }
    this.#changed = new Map();
    return changes.length === 0 ? undefined : new SharedPacket([{ op: "presence", channel: this.#channel, changes }]);
  }

  /** Everybody who is here, for one who starts to watch or missed a change. What changed in this turn is left to the changes that follow. */
  list(): SharedPacket {
    const members = this.members().filter(({ session }) => !this.#changed.has(session));
    for (const known of this.#changed.values()) if (known !== undefined) members.push(known);
    return new SharedPacket([{ op: "presence", channel: this.#channel, members, complete: true }]);
  }

  #note(session: string): void {
    if (!this.#changed.has(session)) this.#changed.set(session, this.#entries.get(session)?.member);
    this.#onChange();
  }
}
