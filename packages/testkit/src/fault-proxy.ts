import { createServer, connect, type AddressInfo, type Server, type Socket } from "node:net";

/** How the proxy passes bytes on. */
export interface ProxyConditions {
  /** Each chunk arrives this much later. */
  readonly latencyMs: number;
  /** In each direction of each connection. */
  readonly bytesPerSecond: number;
}

export interface FaultProxyOptions {
  readonly target: { readonly host?: string; readonly port: number };
  /** The port to listen on; any free one unless given. */
  readonly port?: number;
}

/** TCP between a client and a server, with the faults that a network has. It listens on the loopback address alone. */
export interface FaultProxy {
  readonly port: number;
  /** How many connections it holds. */
  readonly connectionCount: number;
  /** How chunks that arrive from now on are passed on. */
  shape(conditions: Partial<ProxyConditions>): void;
  /** Stops reading, in both directions: the senders' buffers fill up. */
  pause(): void;
  /** Ends a pause, and takes new connections again. Connections that became half-open stay so. */
  resume(): void;
  /** Resets all connections: both sides get `ECONNRESET`. */
  reset(): void;
  /** Resets each connection once this many more bytes went through it, in the middle of whatever stands there. */
  cutAfter(bytes: number): void;
  /** From now on the connections that there are swallow all bytes, and stay open. New ones do the same until {@link resume}. */
  halfOpen(): void;
  /** Resets new connections, as a server that is not there does. */
  refuse(): void;
  /** Ends all connections and stops listening. */
  close(): Promise<void>;
}

type Door = "open" | "refusing" | "swallowing";

/** @example const proxy = await faultProxy({ target: { port: 8080 } }); */
export async function faultProxy({ target, port = 0 }: FaultProxyOptions): Promise<FaultProxy> {
  const proxy = new Proxy(target.host ?? "127.0.0.1", target.port);
  await proxy.listen(port);
  return proxy;
}

class Proxy implements FaultProxy {
  readonly #host: string;
  readonly #targetPort: number;
  readonly #server: Server;
  readonly #tunnels = new Set<Tunnel>();
  #conditions: ProxyConditions = { latencyMs: 0, bytesPerSecond: Infinity };
  #door: Door = "open";
  #isPaused = false;
  #port = 0;

  constructor(host: string, port: number) {
    this.#host = host;
    this.#targetPort = port;
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#take(client));
  }

  get port(): number {
    return this.#port;
  }

  get connectionCount(): number {
    return this.#tunnels.size;
  }

  listen(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, "127.0.0.1", () => {
        this.#port = (this.#server.address() as AddressInfo).port;
        resolve();
      });
    });
  }

  shape(conditions: Partial<ProxyConditions>): void {
    this.#conditions = { ...this.#conditions, ...conditions };
  }

  pause(): void {
    this.#isPaused = true;
    for (const tunnel of this.#tunnels) tunnel.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#door = "open";
    for (const tunnel of this.#tunnels) tunnel.resume();
  }

  reset(): void {
    for (const tunnel of this.#tunnels) tunnel.reset();
  }

  cutAfter(bytes: number): void {
    for (const tunnel of this.#tunnels) tunnel.cutAfter(bytes);
  }

  halfOpen(): void {
    this.#door = "swallowing";
    for (const tunnel of this.#tunnels) tunnel.swallow();
  }

  refuse(): void {
    this.#door = "refusing";
  }

  close(): Promise<void> {
    this.reset();
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  #take(client: Socket): void {
    // A listener from the start: an error without one would end the process.
    client.on("error", () => {});
    if (this.#door === "refusing") {
      client.resetAndDestroy();
      return;
    }
    const server = connect({ host: this.#host, port: this.#targetPort, allowHalfOpen: true });
    const tunnel = new Tunnel(client, server, () => this.#conditions, () => this.#tunnels.delete(tunnel));
    this.#tunnels.add(tunnel);
    if (this.#door === "swallowing") tunnel.swallow();
    if (this.#isPaused) tunnel.pause();
  }
}

/** One connection through the proxy: two sockets, and what happens between them. */
class Tunnel {
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #conditions: () => ProxyConditions;
  #isSwallowing = false;
  #isPaused = false;
  #bytesLeft = Infinity;

  constructor(client: Socket, server: Socket, conditions: () => ProxyConditions, ended: () => void) {
    this.#client = client;
    this.#server = server;
    this.#conditions = conditions;
    this.#carry(client, server);
    this.#carry(server, client);
    client.on("close", ended);
  }

  pause(): void {
    this.#isPaused = true;
    this.#client.pause();
    this.#server.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#client.resume();
    this.#server.resume();
  }

  reset(): void {
    this.#client.resetAndDestroy();
    this.#server.resetAndDestroy();
  }

  cutAfter(bytes: number): void {
    this.#bytesLeft = bytes;
  }

  swallow(): void {
    this.#isSwallowing = true;
  }

  #carry(from: Socket, to: Socket): void {
    const queue = new DelayQueue();
    const inTurn = (bytes: number, task: () => void): void => {
      const { latencyMs, bytesPerSecond } = this.#conditions();
      queue.add((bytes * 1000) / bytesPerSecond, latencyMs, task);
    };
    from.on("data", (chunk) => {
      if (!this.#isSwallowing) inTurn(chunk.length, () => this.#pass(chunk, from, to));
    });
    from.on("end", () => {
      if (!this.#isSwallowing) inTurn(0, () => to.end());
    });
    from.on("error", () => {
      if (!this.#isSwallowing) to.resetAndDestroy();
    });
    from.on("close", () => {
      if (!this.#isSwallowing) inTurn(0, () => to.destroySoon());
    });
  }

  #pass(chunk: Buffer, from: Socket, to: Socket): void {
    if (this.#isSwallowing || to.destroyed) return;
    const passed = chunk.subarray(0, this.#bytesLeft);
    this.#bytesLeft -= passed.length;
    const hasRoom = to.write(passed);
    if (this.#bytesLeft === 0) {
      this.reset();
      return;
    }
    if (hasRoom) return;
    from.pause();
    to.once("drain", () => {
      if (!this.#isPaused) from.resume();
    });
  }
}

/** Runs tasks after their delays, and in their order whatever the delays are. */
class DelayQueue {
  readonly #tasks: { readonly dueAt: number; readonly run: () => void }[] = [];
  #freeAt = 0;

  /** Runs `task` when what stands before it is through, it has taken `durationMs` itself, and `latencyMs` have passed. */
  add(durationMs: number, latencyMs: number, run: () => void): void {
    const now = performance.now();
    this.#freeAt = Math.max(this.#freeAt, now) + durationMs;
    const dueAt = Math.max(this.#freeAt + latencyMs, this.#tasks.at(-1)?.dueAt ?? 0);
    if (this.#tasks.length === 0 && dueAt <= now) {
      run();
      return;
    }
    if (this.#tasks.push({ dueAt, run }) === 1) this.#wait();
  }

  #wait(): void {
    const [next] = this.#tasks;
    if (next === undefined) return;
    setTimeout(() => {
      this.#tasks.shift();
      next.run();
      this.#wait();
    }, next.dueAt - performance.now());
  }
}
