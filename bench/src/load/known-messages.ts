import type { Mark, Wire } from "./wire.js";

/** What a message stands for that many connections get. */
export interface Known {
  readonly marks: readonly Mark[];
}

/** How many are remembered; whoever gets one so late reads it again. */
const COUNT_MAX = 4_096;

/** What the key stands for: as read the first time. */
export function known(all: Map<string, Known>, key: string, text: string | undefined, wire: Wire): Known {
  const found = all.get(key);
  if (found !== undefined) return found;
  if (text === undefined) throw new Error("a message that nobody has read cannot be told by its head");
  const read: Known = { marks: wire.read(text).marks ?? [] };
  all.set(key, read);
  if (all.size > COUNT_MAX) {
    for (const oldest of all.keys()) {
      all.delete(oldest);
      break;
    }
  }
  return read;
}
