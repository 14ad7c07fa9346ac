import { SERVER_DEPTH_MAX, jsonCodec } from "@tutti/protocol";
import type { StoredSnapshot } from "@tutti/server";
import type { ChannelContext } from "./channel-context.js";
import { places } from "./layout.js";
import type { Write } from "./store.js";

interface SnapshotRecord {
  readonly seq: number;
  readonly text: string;
}

/** The newest snapshot of a channel. Its epoch is the one of the log: where that begins a new one, the positions go on, and so does the state. */
export class SnapshotShelf {
  readonly #context: ChannelContext;
  /** The newest that is not flushed. */
  #latest: SnapshotRecord | undefined;
  #isSealed = false;

  constructor(context: ChannelContext) {
    this.#context = context;
  }

  /**
   * Keeps it, unless a newer one is kept already.
   *
   * @throws TuttiError `PAYLOAD_INVALID`, `MESSAGE_TOO_DEEP`
   */
  put(id: number | undefined, { position: { seq }, eventId, version, state }: StoredSnapshot): void {
    const kept = this.#latest?.seq ?? this.#read(id)?.seq;
    if (kept !== undefined && seq < kept) return;
    this.#latest = { seq, text: jsonCodec.encode([{ seq, eventId, version, state }], SERVER_DEPTH_MAX) };
    this.#isSealed = false;
  }

  load(id: number | undefined): StoredSnapshot | undefined {
    const record = this.#read(id);
    if (record === undefined) return undefined;
    const [snapshot] = jsonCodec.decode(record.text, SERVER_DEPTH_MAX) as readonly [Omit<StoredSnapshot, "position">];
    const { version, state, eventId } = snapshot;
    return { position: { epoch: this.#context.epoch, seq: record.seq }, version, state, ...(eventId !== undefined && { eventId }) };
  }

  /** How far the one reaches that is on disk; `0` where there is none. */
  savedUpTo(id: number | undefined): number {
    return this.#read(id)?.seq ?? 0;
  }

  seal(id: number): readonly Write[] {
    if (this.#latest === undefined) return [];
    this.#isSealed = true;
    return [{ put: places.snapshot(id), value: `${this.#latest.seq} ${this.#latest.text}` }];
  }

  flushed(): void {
    if (this.#isSealed) this.clear();
  }

  clear(): void {
    this.#latest = undefined;
    this.#isSealed = false;
  }

  #read(id: number | undefined): SnapshotRecord | undefined {
    const record = id === undefined ? undefined : this.#context.store.get(places.snapshot(id));
    if (record === undefined) return undefined;
    const end = record.indexOf(" ");
    return { seq: Number(record.slice(0, end)), text: record.slice(end + 1) };
  }
}
