import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/** A proxy before several nodes, as nginx is with `proxy_next_upstream http_503`. */
export interface NextUpstream {
  readonly port: number;
  /** The statuses that the nodes answered handshakes with, in order, each with the node's place. */
  readonly answers: readonly (readonly [node: number, status: number])[];
  stop(): Promise<void>;
}

const END_OF_HEAD = "\r\n\r\n";

/** Asks the first node, and at a 503 the next one; what it answers else goes to the client, and then everything does, both ways. */
export async function nextUpstream(ports: readonly number[]): Promise<NextUpstream> {
  const answers: [number, number][] = [];
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
    return socket;
  };
  const ask = (client: Socket, request: Buffer, node: number): void => {
    const port = ports[node];
    if (port === undefined) return void client.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
    const upstream = keep(connect(port, "127.0.0.1"));
    upstream.write(request);
    head(upstream, (answer) => {
      const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(answer.toString())?.[1]);
      answers.push([node, status]);
      if (status === 503) {
        upstream.destroy();
        return ask(client, request, node + 1);
      }
      client.write(answer);
      client.pipe(upstream).pipe(client);
      client.on("close", () => upstream.destroy());
    });
  };
  const server = createServer((client) => head(keep(client), (request) => ask(client, request, 0)));
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    answers,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** Hands over what has come once a head is whole, and stops reading until somebody goes on. */
function head(socket: Socket, done: (bytes: Buffer) => void): void {
  let bytes = Buffer.alloc(0);
  const read = (chunk: Buffer): void => {
    bytes = Buffer.concat([bytes, chunk]);
    if (!bytes.includes(END_OF_HEAD)) return;
    socket.off("data", read);
    socket.pause();
    done(bytes);
  };
  socket.on("data", read);
}
