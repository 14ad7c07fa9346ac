import { jsonCodec, TuttiError } from "@tutti/protocol";
import { open, readFile, rename, rm, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { makeSessionRecord, type SessionRecord } from "./session-record.js";
import type { StorageChange, StoredSession } from "./storage.js";

/*
 * A line of JSON for each group of changes, flushed before it counts, after a first line with what the changes before came to. A line that the
 * power or the process did not let end is the last one, and is cut off. What is settled leaves its lines behind: once they are most of the
 * file, a new one takes its place.
 */

const FORMAT = "tutti-session";
const VERSION = 1;
/** Deeper than what fits into a message, for the state of a channel. */
const DEPTH_MAX = 1_000;

type Head = { readonly format: typeof FORMAT; readonly version: number; readonly session?: PackedSession | undefined };
type PackedSession = Omit<StoredSession, "counts" | "states"> & {
  readonly counts: readonly (readonly [string, number])[];
  readonly states: readonly (readonly [string, StoredSession["states"] extends ReadonlyMap<string, infer State> ? State : never])[];
};

/** A session in a file. */
export interface SessionJournal {
  stored(): StoredSession | undefined;
  /** On the disk when it resolves; all or nothing. One call at a time. */
  append(changes: readonly StorageChange[]): Promise<void>;
  close(): Promise<void>;
  /** Closes it, and takes the file away. */
  remove(): Promise<void>;
}

export interface JournalOptions {
  /** How many channels' states are kept, the latest. */
  readonly statesMax: number;
  /** How large a file may be with nothing in it that counts. */
  readonly compactBytesMin: number;
}

/** @throws (rejects) TuttiError `VERSION_UNSUPPORTED` where the file is of a newer version, or something else; it stays as it is */
export async function openJournal(path: string, { statesMax, compactBytesMin }: JournalOptions): Promise<SessionJournal> {
  const record = makeSessionRecord(statesMax);
  const intact = Buffer.byteLength(replay(record, await readFile(path, "utf8").catch(absent), path));
  let file: FileHandle = await open(path, "a");
  /** What of the file counts; what is behind it is of a line that failed. */
  let bytes = intact;
  /** How large the file was with nothing in it that is over. */
  let compactBytes = intact;
  await file.truncate(bytes);

  const compact = async (): Promise<void> => {
    const next = `${path}.next`;
    const text = line({ format: FORMAT, version: VERSION, session: pack(record.stored()) });
    const written = await open(next, "w");
    await written.writeFile(text);
    await written.datasync();
    await rename(next, path);
    await flushFolder(path);
    await written.close();
    const before = file;
    file = await open(path, "a");
    bytes = compactBytes = Buffer.byteLength(text);
    await before.close();
  };
  const append = async (changes: readonly StorageChange[]): Promise<void> => {
    const text = line({ changes });
    try {
      await file.appendFile(text);
      await file.datasync();
    } catch (cause) {
      // Half a line must not be followed by a whole one.
      await file.truncate(bytes);
      throw cause;
    }
    bytes += Buffer.byteLength(text);
    for (const change of changes) record.apply(change);
  };

  if (bytes === 0) await compact();
  return {
    stored: () => record.stored(),
    async append(changes) {
      await append(changes);
      // A file that cannot be made smaller is no reason to lose what stands in it.
      if (bytes > compactBytesMin + 2 * compactBytes) await compact().catch(() => {});
    },
    close: () => file.close(),
    async remove() {
      await file.close();
      await rm(path, { force: true });
      await flushFolder(path);
    },
  };
}

function absent(cause: unknown): string {
  if (Object(cause).code === "ENOENT") return "";
  throw cause;
}

/** Brings the record to where the file ends. Returns what of the file is whole. */
function replay(record: SessionRecord, text: string, path: string): string {
  const lines = text.split("\n");
  // Behind the last line break is nothing, or a line that did not end.
  lines.pop();
  const [first, ...groups] = lines;
  if (first === undefined) {
    // A file that was being made has not a whole line; another one without a whole line is not ours.
    if (!`{"format":"${FORMAT}"`.startsWith(text.slice(0, 24))) throw foreign(path);
    return "";
  }
  unpack(record, headOf(first, path));
  for (const [index, group] of groups.entries()) {
    const changes = changesOf(group);
    // Not all of the last line may have reached the disk, though its end did.
    if (changes === undefined && index === groups.length - 1) lines.pop();
    else if (changes === undefined) throw new TuttiError("UNAVAILABLE", { message: `${path} is damaged in line ${index + 2}` });
    else for (const change of changes) record.apply(change);
  }
  return lines.map((whole) => `${whole}\n`).join("");
}

function changesOf(group: string): readonly StorageChange[] | undefined {
  try {
    return (jsonCodec.decode(group, DEPTH_MAX)[0] as { readonly changes: readonly StorageChange[] }).changes;
  } catch {
    return undefined;
  }
}

function headOf(text: string, path: string): Head {
  let head: Partial<Head>;
  try {
    head = Object(jsonCodec.decode(text, DEPTH_MAX)[0]) as Partial<Head>;
  } catch {
    throw foreign(path);
  }
  if (head.format !== FORMAT || head.version !== VERSION) throw foreign(path);
  return head as Head;
}

function foreign(path: string): TuttiError {
  return new TuttiError("VERSION_UNSUPPORTED", { message: `${path} is of a newer version, or no session` });
}

function line(value: object): string {
  return `${jsonCodec.encode([value], DEPTH_MAX)}\n`;
}

function pack(session: StoredSession | undefined): PackedSession | undefined {
  return session && { ...session, counts: [...session.counts], states: [...session.states] };
}

function unpack(record: SessionRecord, { session }: Head): void {
  if (session !== undefined) record.load({ ...session, counts: new Map(session.counts), states: new Map(session.states) });
}

/** A file that was renamed or removed is so after a loss of power, too. Where folders cannot be flushed, the system does it. */
async function flushFolder(path: string): Promise<void> {
  try {
    const folder = await open(dirname(path), "r");
    await folder.sync();
    await folder.close();
  } catch {
    // Windows.
  }
}
