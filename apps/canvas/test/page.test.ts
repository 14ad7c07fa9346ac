import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request, type IncomingMessage, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { servePage } from "../src/server/page.js";

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

describe("the door of the page", () => {
  let folder: string;
  let http: Server;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "tutti-canvas-"));
    mkdirSync(join(folder, "page/assets"), { recursive: true });
    writeFileSync(join(folder, "secret.txt"), "secret");
    writeFileSync(join(folder, "page/index.html"), "<p>the page");
    writeFileSync(join(folder, "page/assets/app-1a2b.js"), "run()");
    writeFileSync(join(folder, "page/service-worker.js"), "keep()");
    http = createServer(await servePage(pathToFileURL(`${folder}/page/`)));
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  });

  afterAll(() => {
    http.close();
    rmSync(folder, { recursive: true });
  });

  /** Sends the path as it stands; `fetch` would clean it up. */
  function get(path: string, { method = "GET", headers = {} } = {}): Promise<Answer> {
    const address = http.address();
    const port = typeof address === "object" ? address?.port : undefined;
    return new Promise((resolve, reject) => {
      const sent = request({ host: "127.0.0.1", port, path, method, headers }, (response) => {
        let body = "";
        response.setEncoding("utf8").on("data", (text: string) => (body += text));
        response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, body }));
      });
      sent.on("error", reject).end();
    });
  }

  it.each(["/", "/c/start2g7", "/anything", "/?x=1"])("answers %s with the page, to be asked for again", async (path) => {
    const { status, headers, body } = await get(path);
    expect([status, body, headers["content-type"], headers["cache-control"]]).toEqual([200, "<p>the page", "text/html; charset=utf-8", "no-cache"]);
  });

  it("lets assets be kept, and tells by the tag that the page is the same", async () => {
    const asset = await get("/assets/app-1a2b.js");
    expect([asset.status, asset.headers["content-type"], asset.headers["cache-control"]]).toEqual([200, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"]);
    const { headers } = await get("/");
    const again = await get("/", { headers: { "if-none-match": headers.etag } });
    expect([again.status, again.body]).toEqual([304, ""]);
  });

  it("has the service worker asked for again each time", async () => {
    const { status, headers } = await get("/service-worker.js");
    expect([status, headers["content-type"], headers["cache-control"]]).toEqual([200, "text/javascript; charset=utf-8", "no-cache"]);
  });

  it.each(["/assets/gone.js", "/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/assets/../../secret.txt", "//secret.txt", "/assets/app-1a2b.js%00.html"])(
    "has nothing at %s",
    async (path) => {
      const { status, body } = await get(path);
      expect(status).toBe(404);
      expect(body).not.toContain("secret");
    },
  );

  it("takes GET and HEAD, and nothing else", async () => {
    const head = await get("/", { method: "HEAD" });
    expect([head.status, head.body, head.headers["content-length"]]).toEqual([200, "", "11"]);
    const post = await get("/", { method: "POST" });
    expect([post.status, post.headers.allow]).toEqual([405, "GET, HEAD"]);
  });
});
