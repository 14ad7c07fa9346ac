import { execFileSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** The oldest Redis that has all we need of it: sharded channels. */
const redisMajorMin = 7;

/** Where people's paths do not lead to, and nginx is all the same. */
const systemFolders = ["/usr/sbin", "/usr/local/sbin"];

/** Full path of a program, or undefined where the machine has none. */
function findProgram(name: string): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), ...systemFolders];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/** Full path of a program. @throws what to do where the machine has none */
export function programPath(name: keyof typeof remedies): string {
  const path = findProgram(name);
  if (path === undefined) throw new Error(`${name} is not on this machine; ${remedies[name]}`);
  return path;
}

const installRedis = `install Redis ${redisMajorMin} or newer ("apt-get install redis-server", "brew install redis")`;
const remedies = {
  "redis-server": installRedis,
  "redis-cli": installRedis,
  nginx: 'install nginx ("apt-get install nginx-light", "brew install nginx")',
  openssl: 'install OpenSSL ("apt-get install openssl", "brew install openssl")',
} as const;

/** Whether this machine has a Redis that is new enough, and its command line. */
export function hasRedis(): boolean {
  const server = findProgram("redis-server");
  if (server === undefined || findProgram("redis-cli") === undefined) return false;
  const major = /\bv=(\d+)\./.exec(execFileSync(server, ["--version"], { encoding: "utf8" }))?.[1];
  return Number(major) >= redisMajorMin;
}

/** Whether the Redis of this machine speaks TLS. */
export function hasRedisTls(): boolean {
  return hasRedis() && execFileSync(programPath("redis-cli"), ["--help"], { encoding: "utf8" }).includes("--tls");
}

export function hasOpenssl(): boolean {
  return findProgram("openssl") !== undefined;
}

export function hasNginx(): boolean {
  return findProgram("nginx") !== undefined;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
