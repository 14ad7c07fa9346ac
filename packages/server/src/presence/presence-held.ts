import type { Member } from "@tutti/protocol";
import type { ToldChanges, ToldEntry } from "./presence-messages.js";

/** A member with when it did something last, on the monotonic clock of the node that looks. */
export interface Entry {
  readonly member: Member;
  readonly actedAt: number;
}

/** How many changes are held behind a hole; of more, the oldest go, and the whole is asked for again. */
const WAITING_MAX = 256;

interface HeldParts {
  readonly membersMax: number;
  /** Up to which number it is known that nobody was there; `0` where nothing is known. */
  readonly emptyUpTo: number;
  readonly elapsed: () => number;
  /** Hears whose entry is another than before. */
  readonly onChange: (session: string) => void;
}

/** What one other node told of its members of one channel, in the order of its numbers, whatever the bus lost, repeated and reordered. */
export class HeldMembers {
  readonly #parts: HeldParts;
  readonly #entries = new Map<string, Entry>();
  /** Changes behind a hole, in the order in which they came. */
  #waiting: ToldChanges[] = [];
  #number: number;

  constructor(parts: HeldParts) {
    this.#parts = parts;
    this.#number = parts.emptyUpTo;
  }

  /** No change up to this number is missing in it; `0` before anything is known. */
  get number(): number {
    return this.#number;
  }

  /** The number that it is known to lack, where it is known to lack something. */
  get lacks(): number | undefined {
    return this.#waiting.at(-1)?.number;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(session: string): Entry | undefined {
    return this.#entries.get(session);
  }

  /** Takes changes, at once or when what is between is there. */
  take(changes: ToldChanges): void {
    if (changes.number <= this.#number) return;
    if (this.#apply(changes)) this.#goOn();
    else if (this.#waiting.push(changes) > WAITING_MAX) this.#waiting.shift();
  }

  /** Takes the whole, as it was at this number. What is older than what is known changes nothing. */
  replace(number: number, entries: readonly ToldEntry[]): void {
    if (number >= this.#number) {
      this.#number = number;
      this.#fill(entries);
    }
    this.#goOn();
  }

  /** The node has stopped: its members may come back elsewhere. */
  turnAway(): void {
    for (const [session, { member, actedAt }] of this.#entries) {
      if (member.away === true) continue;
      this.#entries.set(session, { member: { ...member, away: true }, actedAt });
      this.#parts.onChange(session);
    }
  }

  clear(): void {
    this.#waiting = [];
    for (const session of this.#entries.keys()) this.#delete(session);
  }

  /** Whether they follow what is known. */
  #apply({ before, number, entered, left }: ToldChanges): boolean {
    if (before !== 0 && before !== this.#number) return false;
    // Before it there was nobody: whoever is still here has left unheard.
    if (before === 0) this.#fill(entered);
    else {
      for (const session of left) this.#delete(session);
      for (const entry of entered) this.#set(entry);
    }
    this.#number = number;
    return true;
  }

  #goOn(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const changes of waiting) this.take(changes);
  }

  #fill(entries: readonly ToldEntry[]): void {
    const sessions = new Set(entries.map(({ member }) => member.session));
    for (const session of this.#entries.keys()) if (!sessions.has(session)) this.#delete(session);
    for (const entry of entries) this.#set(entry);
  }

  #set({ member, ageMs }: ToldEntry): void {
    const { membersMax, elapsed, onChange } = this.#parts;
    if (this.#entries.size >= membersMax && !this.#entries.has(member.session)) return;
    this.#entries.set(member.session, { member, actedAt: elapsed() - ageMs });
    onChange(member.session);
  }

  #delete(session: string): void {
    if (this.#entries.delete(session)) this.#parts.onChange(session);
  }
}
