import { Packr, RESET_BUFFER_MODE } from "msgpackr/pack";
import { isPlain, refuseToSend } from "./binary.js";
import { TuttiError } from "./errors.js";

/** As the specification has it: no records that a reader would have to have seen, and the shortest header for the size of a map. */
const packr = new Packr({ useRecords: false, variableMapSize: true });
const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * Writes one message. `Packr` takes whatever there is, so what may not travel is refused before; and it asks an object for its `constructor`
 * and its `toJSON`, so an object whose fields might answer is handed over as a `Map`, of which it asks nothing.
 */
export class MsgpackWriter {
  #isUtf8 = true;

  /**
   * The message with these frames; `undefined` where there is text in it that UTF-8 has no bytes for.
   *
   * @throws TuttiError `PAYLOAD_INVALID`, `MESSAGE_TOO_DEEP`
   */
  write(frames: readonly object[], depthMax: number): Uint8Array | undefined {
    const values = frames.map((frame) => this.#value(frame, depthMax));
    if (!this.#isUtf8) return undefined;
    // A copy, since a message that waits in an outbox would hold all of the buffer that it was written in; the next one is written over it.
    return new Uint8Array(packr.pack(values.length === 1 ? values[0] : values, RESET_BUFFER_MODE));
  }

  #value(value: unknown, depthLeft: number): unknown {
    switch (typeof value) {
      case "string":
        this.#text(value);
        return value;
      case "boolean":
        return value;
      case "number":
        return Number.isFinite(value) ? value : refuseToSend(`${value}`);
      case "object":
        break;
      default:
        return refuseToSend(typeof value === "undefined" ? "undefined" : `a ${typeof value}`);
    }
    if (value === null) return value;
    if (depthLeft === 0) throw new TuttiError("MESSAGE_TOO_DEEP");
    // Bytes count as a level, as they do in JSON, where they are an object.
    if (value instanceof Uint8Array) return value;
    return Array.isArray(value) ? this.#list(value, depthLeft - 1) : this.#fields(value, depthLeft - 1);
  }

  #text(text: string): void {
    if (LONE_SURROGATE.test(text)) this.#isUtf8 = false;
  }

  #list(list: readonly unknown[], depthLeft: number): readonly unknown[] {
    let copy: unknown[] | undefined;
    for (let index = 0; index < list.length; index++) {
      const item = list[index];
      const written = this.#value(item, depthLeft);
      if (written !== item) (copy ??= list.slice())[index] = written;
    }
    return copy ?? list;
  }

  #fields(value: object, depthLeft: number): unknown {
    if (!isPlain(value)) refuseToSend(`an instance of ${(value.constructor as { name?: string } | undefined)?.name}`);
    const fields = value as Readonly<Record<string, unknown>>;
    /** The fields that are written otherwise, or, `undefined`, not at all: JSON leaves those out too. */
    let changes: Map<string, unknown> | undefined;
    for (const key of Object.keys(fields)) {
      if (key === "__proto__") refuseToSend(key);
      this.#text(key);
      const item = fields[key];
      const written = item === undefined ? undefined : this.#value(item, depthLeft);
      if (written === undefined || written !== item) (changes ??= new Map()).set(key, written);
    }
    return changes === undefined && value.constructor === Object ? value : mapOf(fields, changes);
  }
}

function mapOf(fields: Readonly<Record<string, unknown>>, changes: ReadonlyMap<string, unknown> | undefined): ReadonlyMap<string, unknown> {
  const map = new Map<string, unknown>();
  for (const key of Object.keys(fields)) {
    const written = changes?.has(key) ? changes.get(key) : fields[key];
    if (written !== undefined) map.set(key, written);
  }
  return map;
}
