import { TuttiError } from "@tutti/protocol";
import { accessSync, closeSync, constants, mkdirSync, openSync, readSync, readdirSync, rmSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";

/** What LMDB calls its files. */
export const DATA = "data.mdb";
const LOCKS = "lock.mdb";
/** Where the magic number and the version stand in the data file, and which they are. */
const HEADER_START = 24;
const HEADER = Buffer.from([0xde, 0xc0, 0xef, 0xbe, 2, 0, 0, 0]);
/** As much as a new environment takes at first. */
const FIRST_BYTES = 64 * 1024;

/**
 * Whether LMDB can open what is there. It is asked beforehand since lmdb-js ends the process where it cannot.
 *
 * @returns whether there is a data file already
 * @throws TuttiError `VERSION_UNSUPPORTED` where the directory holds something else, `UNAVAILABLE` where it cannot be written
 */
export function assertDataFile(directory: string): boolean {
  try {
    mkdirSync(directory, { recursive: true });
    accessSync(directory, constants.R_OK | constants.W_OK);
    const names = readdirSync(directory).filter((name) => !isOurs(name));
    const hasData = names.includes(DATA) && statSync(join(directory, DATA)).size > 0;
    const isForeign = hasData ? !hasHeader(join(directory, DATA)) : names.some((name) => name !== DATA && name !== LOCKS);
    if (isForeign) throw new TuttiError("VERSION_UNSUPPORTED", { message: `${directory} holds something that is not a log of Tutti` });
    if (!hasData || !names.includes(LOCKS)) assertRoom(directory);
    for (const name of [DATA, LOCKS]) if (names.includes(name)) accessSync(join(directory, name), constants.R_OK | constants.W_OK);
    return hasData;
  } catch (cause) {
    if (cause instanceof TuttiError) throw cause;
    throw new TuttiError("UNAVAILABLE", { message: `${directory} cannot be used: ${String(cause)}`, cause });
  }
}

/** The sockets of holders, dead ones included. */
export const HOLDER_PREFIX = "holder-";

function isOurs(name: string): boolean {
  return name.startsWith(HOLDER_PREFIX);
}

function hasHeader(path: string): boolean {
  const file = openSync(path, "r");
  try {
    const header = Buffer.alloc(HEADER.length);
    return readSync(file, header, 0, header.length, HEADER_START) === header.length && header.equals(HEADER);
  } finally {
    closeSync(file);
  }
}

function assertRoom(directory: string): void {
  const path = join(directory, `${HOLDER_PREFIX}room`);
  const file = openSync(path, "w");
  try {
    const written = writeSync(file, Buffer.alloc(FIRST_BYTES));
    if (written < FIRST_BYTES) throw new Error("no space left on the device");
  } finally {
    closeSync(file);
    rmSync(path, { force: true });
  }
}
