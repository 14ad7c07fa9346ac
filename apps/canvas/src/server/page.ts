import { createHash } from "node:crypto";
import { readFile, readdir } from "node:fs/promises";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";

const contentTypes: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** For every answer. The page loads nothing from elsewhere, and is shown in no other page. */
const safety = {
  "content-security-policy": "default-src 'self'; img-src 'self' data:; connect-src 'self' ws: wss:; frame-ancestors 'none'; base-uri 'none'",
  "referrer-policy": "same-origin",
  "x-content-type-options": "nosniff",
};

interface PageFile {
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

async function readPage(folder: URL): Promise<ReadonlyMap<string, PageFile>> {
  const root = fileURLToPath(folder);
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return new Map(
    await Promise.all(
      files.map(async (entry): Promise<[string, PageFile]> => {
        const path = `${entry.parentPath}/${entry.name}`;
        const body = await readFile(path);
        const url = `/${path.slice(root.length).replaceAll("\\", "/").replace(/^\/+/, "")}`;
        return [url, { body, headers: headersOf(url, body) }];
      }),
    ),
  );
}

function headersOf(url: string, body: Buffer): Readonly<Record<string, string>> {
  return {
    ...safety,
    "content-type": contentTypes[extname(url)] ?? "application/octet-stream",
    // The names of assets carry a hash of what is in them; everything else is asked for again and answered by its tag.
    "cache-control": url.startsWith("/assets/") ? "public, max-age=31536000, immutable" : "no-cache",
    etag: `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`,
  };
}

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { ...safety, "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" }).end(text);
}

/**
 * Serves the built page. All of it is read once, here; a request can only name one of those files, so no path leads out of the folder.
 * A path that looks like a page's is answered with the page, which knows what to do about it.
 */
export async function servePage(folder: URL): Promise<RequestListener> {
  const files = await readPage(folder);
  return (request: IncomingMessage, response: ServerResponse) => {
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.setHeader("allow", "GET, HEAD");
      return answer(response, 405, "Only GET and HEAD are served here.\n");
    }
    const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
    const file = files.get(path) ?? (extname(path) === "" ? files.get("/index.html") : undefined);
    if (file === undefined) return answer(response, 404, "There is no such file.\n");
    if (request.headers["if-none-match"] === file.headers["etag"]) return void response.writeHead(304, file.headers).end();
    response.writeHead(200, { ...file.headers, "content-length": file.body.length });
    response.end(request.method === "HEAD" ? undefined : file.body);
  };
}
