import type { Fetch, FetchInit, LinkEvents } from "../../src/index.js";

/** Lets everything come to rest that does not wait for a clock. */
export const rest = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn++) await new Promise<void>((resolve) => void setImmediate(resolve));
};

/** One request, as the server sees it; the test answers it. */
export class FakeRequest {
  readonly url: string;
  readonly init: FetchInit;
  readonly #resolve: (response: Response) => void;
  readonly #reject: (error: Error) => void;
  #stream: ReadableStreamDefaultController<Uint8Array> | undefined;
  isAborted = false;

  constructor(url: string, init: FetchInit, { resolve, reject }: { readonly resolve: (response: Response) => void; readonly reject: (error: Error) => void }) {
    this.url = url;
    this.init = init;
    this.#resolve = resolve;
    this.#reject = reject;
    init.signal?.addEventListener("abort", () => {
      this.isAborted = true;
      this.cut();
    });
  }

  /** Its path and query. */
  get path(): string {
    const { pathname, search } = new URL(this.url);
    return `${pathname}${search}`;
  }

  get number(): string | undefined {
    return this.init.headers["Tutti-Number"];
  }

  async answer(status: number, headers: Readonly<Record<string, string>> = {}, body: string | object | null = null): Promise<void> {
    this.#resolve(new Response(typeof body === "object" && body !== null ? JSON.stringify(body) : body, { status, headers }));
    await rest();
  }

  /** Begins an answer that goes on. */
  async stream(type: string): Promise<void> {
    const body = new ReadableStream<Uint8Array>({ start: (controller) => void (this.#stream = controller) });
    this.#resolve(new Response(body, { status: 200, headers: { "Content-Type": type } }));
    await rest();
  }

  async write(slice: string | Uint8Array): Promise<void> {
    this.#stream?.enqueue(typeof slice === "string" ? new TextEncoder().encode(slice) : slice);
    await rest();
  }

  async end(): Promise<void> {
    this.#stream?.close();
    await rest();
  }

  cut(): void {
    const error = new TypeError("cut");
    this.#reject(error);
    this.#stream?.error(error);
  }

  async fail(): Promise<void> {
    this.cut();
    await rest();
  }
}

/** A `fetch` whose other end is the test. */
export class FakeHttp {
  readonly requests: FakeRequest[] = [];
  readonly fetch: Fetch = (url, init) => new Promise((resolve, reject) => void this.requests.push(new FakeRequest(url, init, { resolve, reject })));

  get last(): FakeRequest {
    const request = this.requests.at(-1);
    if (request === undefined) throw new Error("nothing was asked");
    return request;
  }

  /** The requests of one kind, in order. */
  of(method: "GET" | "POST", path: string): readonly FakeRequest[] {
    return this.requests.filter((request) => request.init.method === method && request.path.startsWith(path));
  }
}

/** Remembers what a link told. */
export class Told implements LinkEvents {
  readonly messages: string[] = [];
  openings = 0;
  closing: { readonly closeCode: number; readonly reason: string } | undefined;

  opened(): void {
    this.openings++;
  }

  message(data: unknown): void {
    this.messages.push(String(data));
  }

  closed(closeCode: number, reason: string): void {
    if (this.closing !== undefined) throw new Error("closed twice");
    this.closing = { closeCode, reason };
  }
}
