import { spawn } from "node:child_process";
import { access, constants, mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { centrifugoConfig5, centrifugoConfig6, type CentrifugoSetup } from "../servers/centrifugo-config.js";

export interface CentrifugoRelease {
  readonly version: string;
  /** What Go calls it. */
  readonly module: string;
  /** The content of its configuration file. */
  config(setup: CentrifugoSetup): object;
}

/** A program that can be run, and why it is no later release; or why there is none, in words. */
export type Installed =
  | { readonly kind: "installed"; readonly path: string; readonly release: CentrifugoRelease; readonly problems: readonly string[] }
  | { readonly kind: "missing"; readonly why: string };

/** The first that can be had is measured: not every module proxy has all that the latest one is built of. */
const RELEASES: readonly CentrifugoRelease[] = [
  { version: "6.9.1", module: "github.com/centrifugal/centrifugo/v6", config: centrifugoConfig6 },
  { version: "5.4.9", module: "github.com/centrifugal/centrifugo/v5", config: centrifugoConfig5 },
];

const REASON_LENGTH_MAX = 400;
/** Which proxy somebody uses is nobody else's affair. */
const ADDRESS = / ?(?:reading )?https?:\/\/[^\s:]+:?/g;

/** Where Go is found: on the path, or where its own installer puts it. */
const TOOLCHAINS = ["go", "/usr/local/go/bin/go"];

/** All processes of a run ask, and a run may take hours: a build that failed stands in a file of this name, and is not tried again while that is young. */
const FAILURE = "failure.txt";
const FAILURE_MS = 24 * 60 * 60 * 1_000;

let sought: Promise<Installed> | undefined;

/** Finds Centrifugo in the cache of this user, where it is built the first time: that takes minutes, a Go toolchain, and a module proxy. */
export const centrifugoBinary = (): Promise<Installed> => (sought ??= firstOf(RELEASES));

/** Whether it is in the cache already, so that nobody has to wait for it. */
export async function isCentrifugoBuilt(): Promise<boolean> {
  const built = await Promise.all(RELEASES.map((release) => isExecutable(placeOf(release).path)));
  return built.includes(true);
}

function placeOf({ version }: CentrifugoRelease): { readonly folder: string; readonly path: string } {
  const folder = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "tutti-bench", `centrifugo-${version}`);
  return { folder, path: join(folder, "centrifugo") };
}

async function firstOf(releases: readonly CentrifugoRelease[]): Promise<Installed> {
  const problems: string[] = [];
  for (const release of releases) {
    const { folder, path } = placeOf(release);
    const problem = (await isExecutable(path)) ? undefined : await buildOnce(release, folder, path);
    if (problem === undefined) return { kind: "installed", path, release, problems };
    problems.push(`${release.version} could not be built: ${problem}`);
  }
  return { kind: "missing", why: problems.join("; ") };
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** Resolves to why there is no program now, where there is none. */
async function buildOnce(release: CentrifugoRelease, folder: string, path: string): Promise<string | undefined> {
  const go = await toolchain();
  if (go === undefined) return "there is no Go toolchain";
  const failure = join(folder, FAILURE);
  const before = await youngIn(failure);
  if (before !== undefined) return before;
  console.error(`building Centrifugo ${release.version} in ${folder}, this once`);
  await mkdir(folder, { recursive: true });
  const built = await build(go, release, path);
  if (built.kind === "done") return undefined;
  await writeFile(failure, built.why);
  return built.why;
}

async function youngIn(file: string): Promise<string | undefined> {
  try {
    const { mtimeMs } = await stat(file);
    return Date.now() - mtimeMs < FAILURE_MS ? await readFile(file, "utf8") : undefined;
  } catch {
    return undefined;
  }
}

async function toolchain(): Promise<string | undefined> {
  for (const go of TOOLCHAINS) if ((await run(go, ["version"])).kind === "done") return go;
  return undefined;
}

/** As a release is built: without C, with the toolchain it asks for, and told which one it is, or it takes itself for a development build. */
const BUILDING = { GOTOOLCHAIN: "auto", CGO_ENABLED: "0" };

/** `go install` would ask for the list of all versions, too, which some proxies refuse: downloading asks for this one alone. */
async function build(go: string, { version, module }: CentrifugoRelease, path: string): Promise<Outcome> {
  const sources = `${module}@v${version}`;
  const downloaded = await run(go, ["mod", "download", sources], BUILDING);
  if (downloaded.kind === "failed") return downloaded;
  const cache = await run(go, ["env", "GOMODCACHE"]);
  if (cache.kind === "failed") return cache;
  const flags = `-X ${module}/internal/build.Version=${version}`;
  // The folder is not written to, and is in no repository of its own.
  const options = ["-C", join(cache.printed, sources), "-mod=readonly", "-buildvcs=false", "-ldflags", flags, "-o", path];
  return run(go, ["build", ...options, "."], BUILDING);
}

/** What a command printed, or what it said last where it failed. */
type Outcome = { readonly kind: "done"; readonly printed: string } | { readonly kind: "failed"; readonly why: string };

function run(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } });
    let printed = "";
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      printed += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
    child.on("error", ({ message }) => resolve({ kind: "failed", why: message }));
    child.on("close", (code) => {
      if (code === 0) resolve({ kind: "done", printed: printed.trim() });
      else resolve({ kind: "failed", why: reasonIn(said) || `${command} ended with ${code}` });
    });
  });
}

/** What went wrong, without what was going on. */
function reasonIn(said: string): string {
  const lines = said.split("\n").map((line) => line.trim());
  const telling = lines.filter((line) => line !== "" && !line.startsWith("go: downloading"));
  return telling.join("; ").replaceAll(ADDRESS, "").slice(-REASON_LENGTH_MAX);
}
