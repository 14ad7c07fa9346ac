/* What the storage of a file knows of the process that it runs in. */

/** For people who look for the holder of a file. */
export function processId(): number {
  return process.pid;
}

export function isWindows(): boolean {
  return process.platform === "win32";
}
