import type { FetchResponse } from "@tutti/client";
import type { HttpAnswer, HttpExchange, HttpHead, HttpListener } from "@tutti/server";

/** One direction of a way between two ends: what is sent arrives in order, if ever. */
export interface Carrier {
  /** What was sent and has not left the sender yet. */
  readonly bufferedBytes: number;
  send(bytes: number, kind: string, detail: string, arrive: () => void): void;
}

/** The server's side of an exchange. */
export interface ServerSide {
  /** Lets the server hear of something, when it can. */
  tell(task: () => void): void;
  /** Its end has closed. Called once. */
  over(): void;
}

/** What a head weighs, about. */
const HEAD_BYTES = 200;

/** One answer to a request over HTTP, with the server's exchange at one end and what the client's `fetch` gets at the other. */
export class CarriedExchange implements HttpExchange {
  listener: HttpListener | undefined;
  readonly client: CarriedResponse;
  readonly #toClient: Carrier;
  readonly #server: ServerSide;
  readonly #headers = new Map<string, string>();
  #phase: HttpExchange["phase"] = "unanswered";
  #hasClosed = false;

  constructor(toClient: Carrier, client: CarriedResponse, server: ServerSide) {
    this.#toClient = toClient;
    this.client = client;
    this.#server = server;
  }

  get phase(): HttpExchange["phase"] {
    return this.#phase;
  }

  get bufferedBytes(): number {
    return this.#toClient.bufferedBytes;
  }

  setHeader(name: string, value: string): void {
    if (this.#phase === "unanswered") this.#headers.set(name.toLowerCase(), value);
  }

  answer({ body = "", ...head }: HttpAnswer): void {
    if (this.#phase !== "unanswered") return;
    const bytes = Buffer.from(body);
    this.#begin(head);
    this.#phase = "over";
    this.#send(bytes);
    this.#finish();
  }

  begin(head: HttpHead): void {
    if (this.#phase !== "unanswered") return;
    this.#begin(head);
    this.#phase = "streaming";
  }

  write(chunks: readonly Uint8Array[]): void {
    if (this.#phase === "streaming") this.#send(Buffer.concat(chunks));
  }

  end(): void {
    if (this.#phase !== "streaming") return;
    this.#phase = "over";
    this.#finish();
  }

  terminate(): void {
    if (this.#hasClosed) return;
    this.#toClient.send(0, "reset", "", () => this.client.fail("reset"));
    this.close();
  }

  /** The server hears that nothing can be written any more. */
  close(): void {
    if (this.#hasClosed) return;
    this.#hasClosed = true;
    this.#phase = "over";
    this.#server.over();
    this.listener?.closed();
  }

  #begin({ status, headers }: HttpHead): void {
    const all = new Map([...this.#headers, ...Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const)]);
    this.#toClient.send(HEAD_BYTES, "→ client", `HTTP ${status}`, () => this.client.begin(status, all));
  }

  #send(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#toClient.send(bytes.length, "→ client", Buffer.from(bytes).toString(), () => this.client.push(bytes));
  }

  #finish(): void {
    this.#toClient.send(0, "→ client", "end", () => {
      this.client.end();
      this.#server.tell(() => this.close());
    });
  }
}

type Ending = { readonly kind: "whole" } | { readonly kind: "cut"; readonly error: Error };
type Slice = { readonly done: boolean; readonly value?: Uint8Array };

/** What a client gets of an answer, slice by slice. */
export class CarriedResponse {
  /** Resolves when the head is there. */
  readonly head: Promise<FetchResponse>;
  readonly #slices: Uint8Array[] = [];
  #ending: Ending | undefined;
  #over = (): void => {};
  #wake = (): void => {};
  #resolve = (_response: FetchResponse): void => {};
  #reject = (_error: Error): void => {};

  constructor() {
    this.head = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Who asked may have gone.
    this.head.catch(() => {});
  }

  /** Nothing more comes. */
  get isOver(): boolean {
    return this.#ending !== undefined;
  }

  /** Calls `over` when nothing more comes. */
  whenOver(over: () => void): void {
    this.#over = over;
  }

  begin(status: number, headers: ReadonlyMap<string, string>): void {
    this.#resolve({
      status,
      headers: { get: (name) => headers.get(name.toLowerCase()) ?? null },
      body: { getReader: () => ({ read: () => this.#read() }), cancel: () => Promise.resolve(this.fail("cancelled")) },
      text: async () => {
        const slices: Uint8Array[] = [];
        for (let slice = await this.#read(); slice.value !== undefined; slice = await this.#read()) slices.push(slice.value);
        return Buffer.concat(slices).toString();
      },
    });
  }

  push(slice: Uint8Array): void {
    this.#slices.push(slice);
    this.#wake();
  }

  end(): void {
    this.#finish({ kind: "whole" });
  }

  /** The client learns that it is cut, or has cut it itself. */
  fail(reason: string): void {
    const error = new TypeError(reason);
    this.#reject(error);
    this.#finish({ kind: "cut", error });
  }

  #finish(ending: Ending): void {
    if (this.#ending !== undefined) return;
    this.#ending = ending;
    this.#over();
    this.#wake();
  }

  async #read(): Promise<Slice> {
    while (this.#slices.length === 0 && this.#ending === undefined) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#ending?.kind === "cut") throw this.#ending.error;
    const value = this.#slices.shift();
    return value === undefined ? { done: true } : { done: false, value };
  }
}
