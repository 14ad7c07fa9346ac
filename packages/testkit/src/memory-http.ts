import type { Fetch, FetchInit, FetchResponse } from "@tutti/client";
import type { HttpRequest, HttpService } from "@tutti/server";
import { CarriedExchange, CarriedResponse, type Carrier } from "./carried-exchange.js";
import { requestOf } from "./fetched-request.js";

/** What becomes of one request: it and its answer arrive, it is lost, or its answer is. Of what is lost the client learns at once. */
export type RequestFate = "arrives" | "is lost" | "answer is lost";

/** Requests over HTTP between clients and services in one process, without a network: everything arrives at once, unless a test says otherwise. */
export class MemoryHttp {
  /** The platform's `fetch`, for clients of these services. */
  readonly fetch: Fetch;
  /** All requests that were made, also those that were lost. */
  readonly requests: HttpRequest[] = [];
  /** Says which service gets a request, as a load balancer does; each the next one by default. */
  route: (request: HttpRequest) => HttpService;
  /** Decides on each request. */
  fateOf: (request: HttpRequest) => RequestFate = () => "arrives";
  readonly #exchanges = new Set<CarriedExchange>();
  readonly #ways = new Set<MemoryWay>();
  #isStalled = false;

  constructor(...services: readonly [HttpService, ...HttpService[]]) {
    let turn = 0;
    this.route = () => services[turn++ % services.length] ?? services[0];
    this.fetch = (url, init) => this.#fetch(url, init);
  }

  /** How many requests wait for the rest of their answer. */
  get openCount(): number {
    return this.#exchanges.size;
  }

  /** All that are under way are cut, at both ends. */
  cut(): void {
    for (const exchange of this.#exchanges) {
      exchange.client.fail("cut");
      exchange.close();
    }
    this.#exchanges.clear();
  }

  /** Clients read nothing any more, and what is written for them stays where it is. */
  stall(): void {
    this.#isStalled = true;
    for (const way of this.#ways) way.isStalled = true;
  }

  resume(): void {
    this.#isStalled = false;
    for (const way of this.#ways) {
      way.resume();
      if (way.isOver) this.#ways.delete(way);
    }
  }

  async #fetch(url: string, init: FetchInit): Promise<FetchResponse> {
    const request = requestOf(url, init, "192.0.2.1");
    this.requests.push(request);
    const fate = this.fateOf(request);
    if (fate === "is lost" || init.signal?.aborted === true) throw new TypeError("the request was lost");
    const exchange = this.#begin(init.signal);
    // A server hears of a request when the client has gone on.
    await Promise.resolve();
    if (!exchange.client.isOver) this.route(request).serve(request, exchange);
    const response = await exchange.client.head;
    if (fate === "arrives") return response;
    exchange.client.fail("the answer was lost");
    exchange.close();
    throw new TypeError("the answer was lost");
  }

  #begin(signal: AbortSignal | undefined): CarriedExchange {
    const way = new MemoryWay(this.#isStalled);
    const gone = (): void => {
      exchange.client.fail("aborted");
      exchange.close();
    };
    const over = (): void => {
      way.isOver = true;
      // What it holds arrives all the same, once it is read.
      if (!way.isStalled) this.#ways.delete(way);
      this.#exchanges.delete(exchange);
      signal?.removeEventListener("abort", gone);
    };
    const exchange: CarriedExchange = new CarriedExchange(way, new CarriedResponse(), { tell: (task) => task(), over });
    way.drained = () => exchange.listener?.drained();
    signal?.addEventListener("abort", gone);
    this.#ways.add(way);
    this.#exchanges.add(exchange);
    return exchange;
  }
}

/** The way to one client. */
class MemoryWay implements Carrier {
  isStalled: boolean;
  /** Nothing more is sent. */
  isOver = false;
  drained = (): void => {};
  #waiting: { readonly bytes: number; readonly arrive: () => void }[] = [];

  constructor(isStalled: boolean) {
    this.isStalled = isStalled;
  }

  get bufferedBytes(): number {
    return this.#waiting.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  send(bytes: number, _kind: string, _detail: string, arrive: () => void): void {
    if (this.isStalled) this.#waiting.push({ bytes, arrive });
    else arrive();
  }

  resume(): void {
    this.isStalled = false;
    const wasBuffered = this.bufferedBytes > 0;
    for (const { arrive } of this.#waiting.splice(0)) arrive();
    if (wasBuffered) this.drained();
  }
}
