/** How many characters of a message are hashed at most; its length always is. */
const SAMPLES = 24;

/**
 * What happened in a simulation, as a hash: two runs with the same hash took the same course. The readable lines are kept only when asked
 * for, because writing them costs more than the simulation itself.
 */
export class Trace {
  readonly #lines: string[] | undefined;
  #hash = 0x811c9dc5;
  #count = 0;

  constructor({ keepLines = false }: { readonly keepLines?: boolean } = {}) {
    this.#lines = keepLines ? [] : undefined;
  }

  /** One line for each event that ran, and each note; empty unless lines are kept. */
  get lines(): readonly string[] {
    return this.#lines ?? [];
  }

  get keepsLines(): boolean {
    return this.#lines !== undefined;
  }

  /** How many events ran. */
  get count(): number {
    return this.#count;
  }

  /** Eight hexadecimal digits. */
  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, "0");
  }

  record(atMs: number, kind: string, participant: string, detail: string): void {
    this.#count += 1;
    // Times are fractions of milliseconds; a nanosecond that differs is another course.
    this.#number(atMs * 1e6);
    this.#text(kind);
    this.#text(participant);
    this.#text(detail);
    this.#lines?.push(`${atMs.toFixed(3).padStart(11)}  ${participant.padEnd(10)} ${kind.padEnd(12)} ${detail}`.trimEnd());
  }

  /** Adds a line for people that is no part of the hash. */
  note(atMs: number, participant: string, text: () => string): void {
    this.#lines?.push(`${atMs.toFixed(3).padStart(11)}  ${participant.padEnd(10)} · ${text()}`);
  }

  #number(value: number): void {
    this.#hash = Math.imul(this.#hash ^ (value | 0), 0x01000193);
    this.#hash = Math.imul(this.#hash ^ (value / 0x100000000), 0x01000193);
  }

  #text(text: string): void {
    let hash = Math.imul(this.#hash ^ text.length, 0x01000193);
    const step = text.length <= SAMPLES ? 1 : text.length / SAMPLES;
    for (let at = 0; at < text.length; at += step) hash = Math.imul(hash ^ text.charCodeAt(at | 0), 0x01000193);
    this.#hash = hash;
  }
}
