import { SERVER_DEPTH_MAX, TuttiError, jsonCodec, type LastSeen, type Position, type WireError } from "@tutti/protocol";
import type { EventRun, Head, LoggedEvent, Outcome, Page, StoredSnapshot } from "@tutti/server";
import { decodeEvent, decodeId, placeOf } from "./event-text.js";
import { unavailable } from "./redis-error.js";

/** What a script answered, read field by field. Anything else than what it can answer throws `UNAVAILABLE`: the log is not what it should be. */
class Reply {
  readonly #fields: readonly unknown[];

  constructor(reply: unknown) {
    this.#fields = Array.isArray(reply) ? reply : [];
  }

  get isEmpty(): boolean {
    return this.#fields.length === 0;
  }

  text(index: number): string {
    const field = this.#fields[index];
    if (typeof field !== "string") throw strange(`field ${index} is ${typeof field} and no text`);
    return field;
  }

  place(index: number): number {
    const field = this.#fields[index];
    if (typeof field !== "number" || !Number.isSafeInteger(field) || field < 0) throw strange(`field ${index} is no place in a log`);
    return field;
  }

  list(index: number): readonly unknown[] {
    const field = this.#fields[index];
    if (!Array.isArray(field)) throw strange(`field ${index} is no list`);
    return field;
  }

  /** The epoch at `index`, and the seq after it. */
  position(index: number): Position {
    return { epoch: this.epoch(index), seq: this.place(index + 1) };
  }

  epoch(index: number): string {
    const epoch = this.text(index);
    if (epoch === "") throw strange("an epoch without a name");
    return epoch;
  }
}

function strange(what: string): TuttiError {
  return new TuttiError("UNAVAILABLE", { message: `Redis answered strangely: ${what}` });
}

/** What became of a publish; `undefined` where nothing is known of it. */
export function readOutcome(reply: unknown): Outcome | undefined {
  const fields = new Reply(reply);
  const outcome = fields.text(0);
  switch (outcome) {
    case "none":
      return undefined;
    case "appended":
    case "repeat":
      return { outcome, position: fields.position(1) };
    case "refused":
      return { outcome, error: readWireError(fields.text(1)) };
    case "unknown":
      return { outcome };
    case "out-of-order":
      return { outcome, highest: fields.place(1) };
    case "conflict":
      return { outcome, head: fields.position(1) };
    case "failed":
      throw unavailable(new Error(fields.text(1)));
    default:
      throw strange(`no outcome is called ${outcome.slice(0, 40)}`);
  }
}

/** What became of a publish that was asked for. */
export function readSettled(reply: unknown): Outcome {
  const outcome = readOutcome(reply);
  if (outcome === undefined) throw strange("it does not say what became of a publish");
  return outcome;
}

/** What was answered to each of so many. */
export function readReplies(reply: unknown, count: number): readonly unknown[] {
  if (!Array.isArray(reply) || reply.length !== count) throw strange(`there is no answer to each of ${count}`);
  return reply;
}

/** A head, and the last event where that was asked for and is there. */
export interface HeadReply extends Head {
  readonly last?: EventRun;
}

export function readHead(reply: unknown): HeadReply {
  const fields = new Reply(reply);
  const position = fields.position(0);
  const tip = fields.text(2);
  const floor = fields.place(3);
  const floorEventId = readId(fields.text(4));
  const last = readLast(position, fields.text(5), fields.text(6));
  return { position, floor, ...(tip !== "" && { eventId: decodeId(tip) }), ...(floorEventId !== undefined && { floorEventId }), ...(last && { last }) };
}

function readLast({ epoch, seq }: Position, text: string, textBefore: string): EventRun | undefined {
  if (text === "") return undefined;
  const run: EventRun = { epoch, events: [eventOf(text, seq)] };
  return textBefore === "" ? run : { ...run, before: eventOf(textBefore, seq - 1).eventId };
}

/** A place, and the event there as far as it is known. */
export function readSeen(reply: unknown): LastSeen {
  const fields = new Reply(reply);
  return seenAt(fields.position(0), readId(fields.text(2)));
}

/**
 * The page after a position. Where an event was seen there, the reply begins with what stands there now: with another one it is a gap.
 *
 * @param countMax how many events were asked for
 */
export function readPage(reply: unknown, after: LastSeen, countMax: number): Page {
  const fields = new Reply(reply);
  const outcome = fields.text(0);
  const head = fields.position(1);
  const tip = fields.text(3);
  const floor = seenAt({ epoch: head.epoch, seq: fields.place(4) }, readId(fields.text(5)));
  const gap: Page = { outcome: "gap", floor, head: seenAt(head, tip === "" ? undefined : decodeId(tip)) };
  if (outcome === "gap") return gap;
  if (outcome !== "page") throw strange(`no page is called ${outcome.slice(0, 40)}`);
  const isOtherFloor = after.seq === floor.seq && after.eventId !== undefined && floor.eventId !== undefined && after.eventId !== floor.eventId;
  if (isOtherFloor) return gap;
  const isChecked = after.eventId !== undefined && after.seq > floor.seq;
  let prev = isChecked ? after.seq - 1 : after.seq;
  const events = fields.list(6).map((entry) => {
    const event = readEntry(entry, prev);
    prev = event.seq;
    return event;
  });
  if (isChecked && events.shift()?.eventId !== after.eventId) return gap;
  if (events.length > countMax) throw strange("a page is longer than was asked for");
  return { outcome, run: { epoch: head.epoch, events }, head };
}

function seenAt({ epoch, seq }: Position, eventId: string | undefined): LastSeen {
  return eventId === undefined ? { epoch, seq } : { epoch, seq, eventId };
}

/** The id of an event as JSON; `undefined` where it is empty. */
function readId(text: string): string | undefined {
  if (text === "") return undefined;
  const id = valueOf(text);
  if (typeof id !== "string") throw strange("an event id is no text");
  return id;
}

export function readFlag(reply: unknown): boolean {
  if (reply !== 0 && reply !== 1) throw strange("a flag is neither 0 nor 1");
  return reply === 1;
}

export function readSnapshot(reply: unknown): StoredSnapshot | undefined {
  const fields = new Reply(reply);
  if (fields.isEmpty) return undefined;
  const tip = fields.text(2);
  const snapshot = valueOf(fields.text(3));
  const isSnapshot = typeof snapshot === "object" && snapshot !== null && "version" in snapshot && "state" in snapshot;
  if (!isSnapshot || typeof snapshot.version !== "number") throw strange("a snapshot without a version or a state");
  return { position: fields.position(0), version: snapshot.version, state: snapshot.state, ...(tip !== "" && { eventId: decodeId(tip) }) };
}

/** An entry of the stream. The log counts by ones: another place than the next means that an event is missing. */
function readEntry(entry: unknown, prev: number): LoggedEvent {
  const fields = new Reply(entry);
  const seq = placeOf(fields.text(0).split("-", 1)[0]);
  if (seq !== prev + 1) throw strange(`after event ${prev} comes ${fields.text(0).slice(0, 40)}`);
  const [, , name, text] = fields.list(1);
  if (name !== "event" || typeof text !== "string") throw strange(`event ${seq} has no text`);
  return eventOf(text, seq);
}

function eventOf(text: string, seq: number): LoggedEvent {
  const event = decodeEvent(text, seq, seq - 1);
  if (event === undefined) throw strange(`event ${seq} cannot be read`);
  return event;
}

function readWireError(text: string): WireError {
  const error = valueOf(text);
  const isError = typeof error === "object" && error !== null && "code" in error && "message" in error;
  if (!isError || typeof error.code !== "string" || typeof error.message !== "string") throw strange("a refusal without an error");
  return error as WireError;
}

function valueOf(text: string): unknown {
  try {
    return jsonCodec.decode(text, SERVER_DEPTH_MAX)[0];
  } catch {
    throw strange("a value is not JSON");
  }
}
