import { mkdtemp, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Installed } from "../../src/peers/centrifugo-binary.js";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tutti-bench-go-"));
  vi.stubEnv("PATH", `${folder}:${process.env["PATH"]}`);
  vi.stubEnv("XDG_CACHE_HOME", join(folder, "cache"));
  vi.spyOn(console, "error").mockReturnValue();
});

afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

/** A toolchain that writes down what it is asked for; its proxy refuses the modules of this name. */
const useGo = (refused: string): Promise<void> =>
  writeFile(
    join(folder, "go"),
    `#!/bin/sh
echo "$1 $2 $3" >> ${folder}/asked
case "$*" in
  "mod download "*/${refused}@*) echo "go: downloading this" >&2; echo "$3: reading https://proxy.example/mod.zip: 403 Forbidden" >&2; exit 1;;
  "env GOMODCACHE") echo ${folder};;
  build*) while [ "$1" != -o ]; do shift; done; echo > "$2"; chmod +x "$2";;
esac
`,
    { mode: 0o755 },
  );

/** As a process does that begins now: nothing but the cache is left of the ones before. */
async function find(): Promise<Installed> {
  vi.resetModules();
  const { centrifugoBinary } = await import("../../src/peers/centrifugo-binary.js");
  return centrifugoBinary();
}

const downloads = async (): Promise<readonly string[]> =>
  (await readFile(join(folder, "asked"), "utf8")).split("\n").filter((line) => line.startsWith("mod download"));

const v6 = "mod download github.com/centrifugal/centrifugo/v6@v6.9.1";
const v5 = "mod download github.com/centrifugal/centrifugo/v5@v5.4.9";

test("the latest release is built from its own sources, once, and nothing has to be said of it", async () => {
  await useGo("none");
  const path = join(folder, "cache/tutti-bench/centrifugo-6.9.1/centrifugo");
  expect(await find()).toMatchObject({ kind: "installed", path, release: { version: "6.9.1" }, problems: [] });
  expect(await find()).toMatchObject({ kind: "installed", path });
  expect(await downloads()).toEqual([v6]);
  expect(await readFile(join(folder, "asked"), "utf8")).toContain(`build -C ${folder}/github.com/centrifugal/centrifugo/v6@v6.9.1`);
});

test("a release that the proxy refuses gives way to the one before, with what was refused", async () => {
  await useGo("v6");
  const problems = ["6.9.1 could not be built: github.com/centrifugal/centrifugo/v6@v6.9.1: 403 Forbidden"];
  expect(await find()).toMatchObject({ kind: "installed", release: { version: "5.4.9" }, problems });
});

test("a refusal holds for all processes of a day, and no longer", async () => {
  await useGo("v6");
  const first = await find();
  expect(JSON.stringify(await find())).toBe(JSON.stringify(first));
  expect(await downloads()).toEqual([v6, v5]);
  const yesterday = Date.now() / 1000 - 25 * 60 * 60;
  await utimes(join(folder, "cache/tutti-bench/centrifugo-6.9.1/failure.txt"), yesterday, yesterday);
  await useGo("none");
  expect(await find()).toMatchObject({ release: { version: "6.9.1" } });
  expect(await downloads()).toEqual([v6, v5, v6]);
});

test("where no release can be built, it is missing, with every reason", async () => {
  await useGo("*");
  const refused = (version: string, module: string): string => `${version} could not be built: github.com/centrifugal/centrifugo/${module}@v${version}: 403 Forbidden`;
  expect(await find()).toEqual({ kind: "missing", why: `${refused("6.9.1", "v6")}; ${refused("5.4.9", "v5")}` });
});

test("whether it is built already can be asked without building it", async () => {
  await useGo("v6");
  vi.resetModules();
  const { isCentrifugoBuilt } = await import("../../src/peers/centrifugo-binary.js");
  expect(await isCentrifugoBuilt()).toBe(false);
  await expect(readFile(join(folder, "asked"))).rejects.toMatchObject({ code: "ENOENT" });
  await find();
  expect(await isCentrifugoBuilt()).toBe(true);
});
