import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, Program, programPath } from "@tutti/cluster";
import { vi } from "vitest";

/** An nginx in front of one server, with what its defaults are where nothing is said: it buffers, and speaks HTTP/1.0 to the server. */
export interface PlainNginx {
  /** Where clients find the server. */
  readonly url: string;
  stop(): Promise<void>;
}

/** @param directives of its own for the server, one a line */
export async function plainNginx(upstream: number, directives: readonly string[] = []): Promise<PlainNginx> {
  const directory = await mkdtemp(join(tmpdir(), "tutti-nginx-"));
  const port = await freePort();
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `  ${kind}_temp_path "${directory}/${kind}";`);
  const config = `daemon off;
${process.getuid?.() === 0 ? "user root;" : ""}
worker_processes 1;
pid "${directory}/nginx.pid";
error_log stderr notice;
events { worker_connections 256; }
http {
  access_log off;
${temporary.join("\n")}
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://127.0.0.1:${upstream};
      ${directives.join("\n      ")}
    }
  }
}
`;
  const file = join(directory, "nginx.conf");
  await writeFile(file, config);
  const program = await Program.start(programPath("nginx"), ["-p", directory, "-c", file], { directory });
  await vi.waitFor(() => fetch(`http://127.0.0.1:${port}/healthz`), { timeout: 10_000, interval: 20 });
  return {
    url: `ws://127.0.0.1:${port}/v1/connect`,
    async stop() {
      await program.stop("SIGTERM");
      await rm(directory, { recursive: true, force: true });
    },
  };
}
