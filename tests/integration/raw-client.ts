import { once } from "node:events";
import { WebSocket } from "ws";

/** A frame as it came, not read by the client's own code. */
export interface RawFrame {
  readonly op: string;
  readonly correlationId?: string;
  readonly success?: boolean;
  readonly error?: { readonly code: string; readonly message: string; readonly field?: string };
  readonly [field: string]: unknown;
}

interface Closing {
  readonly code: number;
  readonly reason: string;
}

const patienceMs = 5_000;

/** A WebSocket that says whatever a test wants, and remembers what it hears. */
export class RawClient {
  readonly frames: RawFrame[] = [];
  closing: Closing | undefined;
  readonly #socket: WebSocket;
  #wake = (): void => {};

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (data: Buffer) => {
      const message: unknown = JSON.parse(data.toString());
      for (const frame of Array.isArray(message) ? (message as RawFrame[]) : [message as RawFrame]) this.frames.push(frame);
      this.#wake();
    });
    socket.on("close", (code, reason) => {
      this.closing = { code, reason: reason.toString() };
      this.#wake();
    });
    socket.on("error", () => this.#wake());
  }

  static async open(url: string, options: { readonly subprotocol?: string } = {}): Promise<RawClient> {
    const socket = new WebSocket(url, options.subprotocol ?? "tutti.1.json", { perMessageDeflate: false });
    const client = new RawClient(socket);
    await once(socket, "open");
    return client;
  }

  /** Sends a message as it is, or frames as JSON. */
  send(message: string | Uint8Array | object): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    this.#socket.send(typeof message === "string" || message instanceof Uint8Array ? message : JSON.stringify(message));
  }

  /** The first frame, from the index `from` on, that `matches`; `undefined` where the connection ends before. */
  async next(matches: (frame: RawFrame) => boolean, from = 0): Promise<RawFrame | undefined> {
    await this.#until(() => this.closing !== undefined || this.frames.slice(from).some(matches));
    return this.frames.slice(from).find(matches);
  }

  /** How the connection ended. */
  async closed(): Promise<Closing> {
    await this.#until(() => this.closing !== undefined);
    return this.closing ?? { code: 0, reason: "" };
  }

  /** Ends the connection and waits for it. */
  async close(): Promise<void> {
    this.#socket.terminate();
    await this.closed();
  }

  async #until(isReached: () => boolean): Promise<void> {
    const deadline = Date.now() + patienceMs;
    while (!isReached()) {
      if (Date.now() > deadline) throw new Error(`waited ${patienceMs} ms, having heard ${JSON.stringify(this.frames.slice(-3))}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, patienceMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
}
