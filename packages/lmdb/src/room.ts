import { closeSync, ftruncateSync, fstatSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { DATA } from "./data-file.js";
import type { Write } from "./store.js";

/** What LMDB has taken of its file, in bytes. */
export interface Usage {
  /** Up to its last page. */
  readonly end: number;
  /** Within that, in pages that nothing points to any more. */
  readonly free: number;
}

const PAGE_BYTES = 4_096;
/** The file grows by so much beyond what is needed, in one go. */
const GROWTH_BYTES = 4 * 1024 * 1024;
/** What every transaction may take: its way through the tree, and the list of what it freed. */
const BASE_BYTES = 64 * PAGE_BYTES;
/** Events are removed side by side, so that a copy of a page serves many. */
const REMOVAL_BYTES = PAGE_BYTES / 8;
/** A put may copy its page and split it. */
const PUT_BYTES = 2 * PAGE_BYTES;

/** What nothing but the forgetting of events may use: a log that is full can still be trimmed, and then has room again. */
const RESERVE_BYTES = 1024 * 1024;

/** More than LMDB takes to write this, and more that has to be there unless it makes room. */
function needOf(writes: readonly Write[]): { readonly bytes: number; readonly reserve: number } {
  let [bytes, putCount] = [BASE_BYTES, 0];
  for (const write of writes) {
    // Of a string's UTF-16 units each takes three bytes at most.
    bytes += "put" in write ? PUT_BYTES + 3 * write.value.length : REMOVAL_BYTES;
    if ("put" in write) putCount++;
  }
  return { bytes, reserve: putCount < writes.length / 2 ? 0 : RESERVE_BYTES };
}

/**
 * The space on the disk that LMDB writes into, taken beforehand: a disk that is full is noticed here, where nothing has been written yet. LMDB
 * itself is not let find out, since lmdb-js writes beyond its memory when it says how a page could not be written.
 */
export class Room {
  readonly #path: string;
  /** What may be written before the file is looked at again. */
  #budget = 0;

  constructor(directory: string) {
    this.#path = join(directory, DATA);
  }

  /** @throws Error of the file system where there is not so much */
  reserve(writes: readonly Write[], usage: () => Usage): void {
    const { bytes, reserve } = needOf(writes);
    if (this.#budget < bytes + reserve) this.#budget = this.#take(bytes + reserve, usage());
    this.#budget -= bytes;
  }

  #take(bytes: number, { end, free }: Usage): number {
    const file = openSync(this.#path, "r+");
    try {
      const { size } = fstatSync(file);
      if (size >= end + bytes) return size - end;
      try {
        return extend(file, size, end + bytes + GROWTH_BYTES) - end;
      } catch (error) {
        ftruncateSync(file, size);
        // What was freed of late cannot be used yet.
        if (size - end + free / 2 < bytes) throw error;
        return size - end;
      }
    } finally {
      closeSync(file);
    }
  }
}

/** Zeros up to `end`: a file that is only said to be longer takes no space. */
function extend(file: number, size: number, end: number): number {
  const zeros = Buffer.alloc(Math.min(end - size, GROWTH_BYTES));
  for (let at = size; at < end; ) {
    const written = writeSync(file, zeros, 0, Math.min(zeros.length, end - at), at);
    if (written === 0) throw new Error("no space left on the device");
    at += written;
  }
  return end;
}
