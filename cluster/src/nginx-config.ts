/** What nginx is told. */
export interface NginxConfig {
  readonly directory: string;
  readonly port: number;
  /**
   * Ports of the loopback address. A connection goes to the one that has the fewest, in turn among equals: nobody comes back to the node where he was.
   */
  readonly upstreams: readonly number[];
}

/** Answers with the process id of the worker that was asked. */
export const workerPath = "/.worker";

/** The configuration of an nginx in front of several nodes, all of whose files are in one directory. */
export function nginxConfig({ directory, port, upstreams }: NginxConfig): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `  ${kind}_temp_path "${directory}/${kind}";`);
  // A node that failed is not put aside: nginx takes one back when a request to it has ended well, which a WebSocket does in hours, and until then sends it
  // one connection each fail_timeout. After a few kills nobody got in any more. Who is refused goes on to the next node at once.
  const servers = upstreams.map((upstream) => `    server 127.0.0.1:${upstream} max_fails=0;`);
  return `daemon off;
${process.getuid?.() === 0 ? "user root;" : ""}
worker_processes 1;
worker_rlimit_nofile 16384;
pid "${directory}/nginx.pid";
error_log stderr notice;
events { worker_connections 8192; }
http {
  access_log off;
${temporary.join("\n")}
  map $http_upgrade $connection_upgrade { default upgrade; "" ""; }
  upstream nodes {
    least_conn;
${servers.join("\n")}
  }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location = ${workerPath} { return 200 "$pid"; }
    location / {
      proxy_pass http://nodes;
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_buffering off;
      proxy_connect_timeout 2s;
      # Longer than the silence after which either side takes the other for dead.
      proxy_read_timeout 60s;
      proxy_send_timeout 60s;
      # A node that is gone, or about to go, hands on what nothing was answered to yet.
      proxy_next_upstream error timeout http_502 http_503;
    }
  }
}
`;
}
