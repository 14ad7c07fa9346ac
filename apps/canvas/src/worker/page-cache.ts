/** One build of the page. */
export interface PageBuild {
  /** Another one for every change of any file. */
  readonly version: string;
  /** The paths of all that the page loads; `/` is the page itself. */
  readonly files: readonly string[];
}

/** How a request is answered. `network`: the worker keeps out of it. */
type Way = "page" | "file" | "network";

/** How long the network has for the page before the kept one is shown. */
const pageTimeoutMs = 3_000;
const prefix = "tutti-canvas-page-";

/** The part of a browser's caches that is used. */
interface Caches extends Pick<CacheStorage, "delete" | "keys"> {
  open(name: string): Promise<{
    addAll(paths: string[]): Promise<void>;
    match(path: string): Promise<Response | undefined>;
  }>;
}

/** Keeps one build of the page, whole or not at all, so that it can be shown without a network. */
export interface PageCache {
  /** Fetches and keeps every file. Rejects where one of them cannot be had; then nothing of this build is shown. */
  keep(): Promise<void>;
  /** Forgets every build but this one. Caches that are not of this page stay. */
  forgetOthers(): Promise<void>;
  wayOf(request: Pick<Request, "method" | "mode" | "url">): Way;
  /** What the network says; the kept page where it says nothing in time, or that there is nobody behind it. */
  page(load: () => Promise<Response>): Promise<Response>;
  /** The kept file: it belongs to the kept page, and another build has files of other names. */
  file(path: string, load: () => Promise<Response>): Promise<Response>;
}

/** @param origin of the page, as in `https://example.com` */
export function makePageCache(build: PageBuild, origin: string, caches: Caches): PageCache {
  const name = prefix + build.version;
  const files = new Set(build.files);

  /** `path` as it was kept. A cache that was thrown away, by the browser or the person, is as good as none. */
  const kept = async (path: string): Promise<Response | undefined> => {
    try {
      return await (await caches.open(name)).match(path);
    } catch {
      return undefined;
    }
  };

  return {
    async keep() {
      await (await caches.open(name)).addAll([...files]);
    },
    async forgetOthers() {
      const others = (await caches.keys()).filter((other) => other.startsWith(prefix) && other !== name);
      await Promise.all(others.map((other) => caches.delete(other)));
    },
    wayOf({ method, mode, url }) {
      const { origin: target, pathname } = new URL(url);
      if (method !== "GET" || target !== origin) return "network";
      if (mode !== "navigate") return files.has(pathname) ? "file" : "network";
      // The server answers these paths with the page, whatever stands in them.
      return /^\/v1(\/|$)|\.[^/]*$/.test(pathname) ? "network" : "page";
    },
    async page(load) {
      const loading = load();
      const late = new Promise<undefined>((resolve) => setTimeout(resolve, pageTimeoutMs, undefined));
      const answer = await Promise.race([loading, late]).catch(() => undefined);
      // 502 and its like: a proxy is there, and no server behind it.
      if (answer !== undefined && answer.status < 500) return answer;
      return (await kept("/")) ?? loading;
    },
    file: async (path, load) => (await kept(path)) ?? load(),
  };
}
