import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { makePageCache, type PageBuild } from "../src/worker/page-cache.js";

const origin = "https://canvas.example";
const build = (version: string, files: readonly string[] = ["/", "/assets/app-1a2b.js"]): PageBuild => ({ version, files });

/** The part of a browser's caches that is used. Files come from `served`. */
function browserCaches(served: ReadonlyMap<string, string>) {
  const stored = new Map<string, Map<string, string>>();
  const open = (name: string) => {
    const files = stored.get(name) ?? new Map<string, string>();
    stored.set(name, files);
    const cache = {
      async addAll(paths: readonly string[]) {
        const found = paths.map((path): [string, string | undefined] => [path, served.get(path)]);
        if (found.some(([, text]) => text === undefined)) throw new TypeError("Failed to fetch");
        for (const [path, text = ""] of found) files.set(path, text);
      },
      async match(path: string) {
        const text = files.get(path);
        return text === undefined ? undefined : new Response(text);
      },
    };
    return Promise.resolve(cache);
  };
  return { stored, open, keys: () => Promise.resolve([...stored.keys()]), delete: (name: string) => Promise.resolve(stored.delete(name)) };
}

const served = new Map([
  ["/", "the page"],
  ["/assets/app-1a2b.js", "run()"],
]);
const text = async (answer: Promise<Response>) => (await answer).text();
const fails = () => Promise.reject(new TypeError("Failed to fetch"));

describe("what is kept of the page", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  async function keptPage() {
    const caches = browserCaches(served);
    const cache = makePageCache(build("one"), origin, caches);
    await cache.keep();
    return { caches, cache };
  }

  it("is not shown where the network has the page", async () => {
    const { cache } = await keptPage();
    expect(await text(cache.page(async () => new Response("the new page")))).toBe("the new page");
    expect((await cache.page(async () => new Response("gone", { status: 404 }))).status).toBe(404);
  });

  it.each([
    ["there is no network", fails],
    ["a proxy has no server behind it", async () => new Response("bad gateway", { status: 502 })],
  ])("is shown where %s", async (_case, load) => {
    const { cache } = await keptPage();
    expect(await text(cache.page(load))).toBe("the page");
    expect(await text(cache.file("/assets/app-1a2b.js", fails))).toBe("run()");
  });

  it("is shown where the network does not answer in time", async () => {
    const { cache } = await keptPage();
    const shown = text(cache.page(() => new Promise<Response>(() => {})));
    await vi.advanceTimersByTimeAsync(3_000);
    expect(await shown).toBe("the page");
  });

  it("is not waited for where nothing was kept: then the network says what it says", async () => {
    const cache = makePageCache(build("one"), origin, browserCaches(served));
    await expect(cache.page(fails)).rejects.toThrow("Failed to fetch");
    expect(await text(cache.page(async () => new Response("bad gateway", { status: 502 })))).toBe("bad gateway");
    expect(await text(cache.file("/assets/app-1a2b.js", async () => new Response("from the network")))).toBe("from the network");
  });

  it("takes the network for the page where the browser denies its caches", async () => {
    const denied = { ...browserCaches(served), open: () => Promise.reject(new DOMException("denied", "SecurityError")) };
    const cache = makePageCache(build("one"), origin, denied);
    await expect(cache.page(fails)).rejects.toThrow("Failed to fetch");
  });

  it("is one whole build: others are forgotten, and caches of others are not", async () => {
    const { caches } = await keptPage();
    await caches.open("of-another-application");
    const next = makePageCache(build("two"), origin, caches);
    await next.keep();
    await next.forgetOthers();
    expect([...caches.stored.keys()]).toEqual(["of-another-application", "tutti-canvas-page-two"]);
    await expect(makePageCache(build("three", ["/", "/assets/gone.js"]), origin, caches).keep()).rejects.toThrow();
  });

  it.each([
    ["page", "GET", "navigate", "/"],
    ["page", "GET", "navigate", "/c/start2g7?from=mail"],
    ["file", "GET", "cors", "/assets/app-1a2b.js"],
    ["network", "GET", "cors", "/assets/other.js"],
    ["network", "GET", "cors", "/v1/connect"],
    ["network", "GET", "navigate", "/v1/channels/lobby:main/events"],
    ["network", "GET", "navigate", "/icon.svg"],
    ["network", "POST", "navigate", "/"],
    ["network", "GET", "navigate", "https://elsewhere.example/"],
    ["network", "GET", "cors", "https://elsewhere.example/assets/app-1a2b.js"],
  ] as const)("answers with the %s: %s, %s, %s", (way, method, mode, path) => {
    const cache = makePageCache(build("one"), origin, browserCaches(served));
    expect(cache.wayOf({ method, mode, url: new URL(path, origin).href })).toBe(way);
  });
});
