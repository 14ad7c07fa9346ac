import { spawn } from "node:child_process";
import { access, constants, mkdir } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

/** A program that can be run, or why it cannot be, in words. */
export type Installed = { readonly kind: "installed"; readonly path: string } | { readonly kind: "missing"; readonly why: string };

const VERSION = "6.9.1";
const MODULE = "github.com/centrifugal/centrifugo/v6";
const REASON_LENGTH_MAX = 400;

/** Where Go is found: on the path, or where its own installer puts it. */
const TOOLCHAINS = ["go", "/usr/local/go/bin/go"];

/** A build that failed is not tried again in the same run. */
let sought: Promise<Installed> | undefined;

/** Finds Centrifugo in the cache of this user, where it is built the first time: that takes minutes, a Go toolchain, and a module proxy. */
export const centrifugoBinary = (): Promise<Installed> => (sought ??= findOrBuild());

async function findOrBuild(): Promise<Installed> {
  const folder = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "tutti-bench", `centrifugo-${VERSION}`);
  const path = join(folder, "centrifugo");
  if (await isExecutable(path)) return { kind: "installed", path };
  const go = await toolchain();
  if (go === undefined) return { kind: "missing", why: `there is no Go toolchain to build Centrifugo ${VERSION} with` };
  console.error(`building Centrifugo ${VERSION} in ${folder}, this once`);
  await mkdir(folder, { recursive: true });
  const problem = await build(go, folder);
  return problem === undefined ? { kind: "installed", path } : { kind: "missing", why: `Centrifugo ${VERSION} could not be built: ${problem}` };
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

async function toolchain(): Promise<string | undefined> {
  for (const go of TOOLCHAINS) if ((await run(go, ["version"])) === undefined) return go;
  return undefined;
}

/** As a release is built: without C, and told which one it is, or it takes itself for a development build. */
function build(go: string, folder: string): Promise<string | undefined> {
  const flags = `-X ${MODULE}/internal/build.Version=${VERSION}`;
  return run(go, ["install", "-ldflags", flags, `${MODULE}@v${VERSION}`], { GOBIN: folder, GOTOOLCHAIN: "auto", CGO_ENABLED: "0" });
}

/** Resolves when the command ended: to what it said last, where it failed. */
function run(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, ...env } });
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
    child.on("error", (error) => resolve(error.message));
    child.on("close", (code) => resolve(code === 0 ? undefined : reasonIn(said) || `${command} ended with ${code}`));
  });
}

/** What went wrong, without what was going on. */
function reasonIn(said: string): string {
  const lines = said.split("\n").map((line) => line.trim());
  const telling = lines.filter((line) => line !== "" && !line.startsWith("go: downloading"));
  return telling.join("; ").slice(-REASON_LENGTH_MAX);
}
