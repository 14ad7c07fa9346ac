import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { errorRegistry, limits, readClientFrame, readServerFrame } from "@tutti/protocol";
import { defaultBounds } from "@tutti/server";
import { describe, expect, it } from "vitest";

const root = resolve(import.meta.dirname, "../..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");

interface Block {
  readonly language: string;
  readonly text: string;
}

/** The fenced blocks of a page, with what stands after the fence. */
const blocksOf = (path: string): Block[] =>
  Array.from(read(path).matchAll(/^```([a-z ]*)\n([\s\S]*?)^```$/gm), ([, language = "", text = ""]) => ({ language, text }));

describe("docs/PROTOCOL.md", () => {
  const page = "docs/PROTOCOL.md";
  const examples = blocksOf(page).filter(({ language }) => language.startsWith("json"));
  const framesOf = (text: string): readonly unknown[] => {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : [value];
  };

  it.each(examples.map(({ language, text }) => [text.replaceAll(/\s+/g, " ").slice(0, 60), language.slice("json ".length), text] as const))("WIRE-6: %s is a frame of a %s", (_title, side, text) => {
    const readFrame = { client: readClientFrame, server: readServerFrame }[side];
    if (readFrame === undefined) throw new Error(`say whose frame it is: "json client" or "json server"`);
    for (const value of framesOf(text)) expect(readFrame(value)).toEqual(value);
  });

  it("WIRE-6: every frame has an example", () => {
    const shown = new Set(examples.flatMap(({ language, text }) => framesOf(text).map((frame) => `${language} ${String((frame as { op: unknown }).op)}`)));
    const client = ["hello", "subscribe", "unsubscribe", "publish", "signal", "call", "presence", "activity", "refresh", "ping", "bye"];
    const server = ["welcome", "reply", "events", "gap", "signals", "presence", "joined", "left", "error", "pong"];
    expect([...shown].toSorted()).toEqual([...client.map((op) => `json client ${op}`), ...server.map((op) => `json server ${op}`)].toSorted());
  });

  it("ERR-1: its close codes are those of the registry", () => {
    const listed = Array.from(read(page).matchAll(/^\| (\d{4}) \| `([A-Z_]+)` \|/gm), ([, closeCode, code]) => `${closeCode} ${code}`);
    const registered = Object.entries(errorRegistry).flatMap(([code, { closeCode }]) => (closeCode === undefined ? [] : [`${closeCode} ${code}`]));
    expect(listed).toEqual(registered.toSorted());
  });

  it("LIM-2: its limits are the ones that hold", () => {
    const section = read(page).split("## 13. Limits")[1] ?? "";
    const valueOf = (row: string): string | undefined => new RegExp(`^\\| [^|]*${row}[^|]*\\| ([^|]*) \\|`, "m").exec(section)?.[1]?.trim();
    expect(valueOf("a client's message")).toBe(`${limits.messageBytesMax / 1024} KiB`);
    expect(valueOf("depth of a client's frame")).toBe(String(limits.depthMax));
    expect(valueOf("depth of a server's frame")).toBe(String(limits.serverDepthMax));
    expect(valueOf("frames of a batch")).toBe(String(limits.batchFramesMax));
    expect(valueOf("channels of a connection")).toBe(String(defaultBounds.subscriptionsMax));
    expect(valueOf("requests of a connection")).toBe(defaultBounds.requestsMax.toLocaleString("en"));
    expect(valueOf("wait for the log")).toBe(String(defaultBounds.preparedMax));
    expect(valueOf("waits to be sent")).toBe(`${defaultBounds.outboxBytesMax / 1024 / 1024} MiB`);
  });
});

describe.each([
  { page: "README.md", folder: "tests/types/readme", files: ["contract.ts", "server.ts", "client.ts", "durable-server.ts", "node.ts", "anywhere.ts"] },
  { page: "docs/STATE.md", folder: "tests/types/state", files: ["contract.ts", "server.ts", "page.ts"] },
])("$page", ({ page, folder, files }) => {
  const sources = blocksOf(page).filter(({ language }) => language === "ts");

  it("CTR-4: its code is the code that the compiler checks", () => {
    const names = sources.map(({ text }) => /^\/\/ ([\w-]+\.ts)/.exec(text)?.[1] ?? "");
    expect(names).toEqual(files);
    for (const [index, name] of names.entries()) expect(sources[index]?.text).toBe(read(`${folder}/${name}`));
  });
});

describe("the pages", () => {
  const decisions = readdirSync(join(root, "docs/decisions")).map((name) => `docs/decisions/${name}`);
  const pages = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/PROTOCOL.md", "docs/SPEC.md", "docs/ERRORS.md", "docs/STATE.md", ...decisions];

  it.each(pages)("every link of %s leads somewhere", (page) => {
    const targets = Array.from(read(page).matchAll(/\]\((?!https?:)([^)#\s]*)(#[^)\s]*)?\)/g), ([, path = "", anchor = ""]) => ({ path, anchor }));
    const lost = targets.filter(({ path, anchor }) => {
      const target = path === "" ? join(root, page) : join(root, dirname(page), path);
      return !existsSync(target) || (anchor !== "" && !anchorsOf(readFileSync(target, "utf8")).has(anchor));
    });
    expect(lost).toEqual([]);
  });
});

describe("ARCHITECTURE.md", () => {
  const folders = ["scripts", "tests/simulation", "tests/integration", ...readdirSync(join(root, "packages")).map((name) => `packages/${name}/src`)];
  const files = folders.flatMap((folder) => readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((file) => `${folder}/${file}`));

  it("every file that it names exists", () => {
    const named = Array.from(read("ARCHITECTURE.md").matchAll(/`([\w./-]+\.(?:ts|mjs))`/g), ([, path = ""]) => path);
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter((path) => !files.some((file) => `/${file}`.endsWith(`/${path}`)))).toEqual([]);
  });
});

/** The anchors that a page's headings get. */
function anchorsOf(markdown: string): ReadonlySet<string> {
  const headings = Array.from(markdown.matchAll(/^#+ (.*)$/gm), ([, heading = ""]) => heading);
  return new Set(headings.map((heading) => `#${heading.toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-")}`));
}
