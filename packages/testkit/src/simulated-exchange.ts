import type { HttpRequest, HttpService } from "@tutti/server";
import { CarriedExchange, CarriedResponse, type Carrier } from "./carried-exchange.js";
import type { SimulatedClock } from "./clock.js";
import { Lane, type LinkConditions } from "./lane.js";
import type { Participant } from "./participant.js";
import type { RandomStream } from "./random.js";
import type { SimulatedWay } from "./simulated-way.js";

/** What a request needs to come about. */
export interface ExchangeSetup {
  readonly clock: SimulatedClock;
  /** This request's own. */
  readonly random: RandomStream;
  readonly conditions: LinkConditions;
  readonly client: Participant;
}

/** One request over HTTP and its answer, with a way of its own through the network: what befalls it befalls no other. */
export class SimulatedExchange implements SimulatedWay, Carrier {
  readonly name: string;
  /** What the client gets. */
  readonly response = new CarriedResponse();
  readonly #setup: ExchangeSetup;
  readonly #toClient: Lane;
  #toServer: Lane | undefined;
  #server: Participant | undefined;
  /** Who answers, while the server believes in it. */
  #serving: CarriedExchange | undefined;
  #largestMessageBytes = 0;

  constructor(name: string, setup: ExchangeSetup) {
    this.name = name;
    this.#setup = setup;
    const { clock, random, conditions, client } = setup;
    this.#toClient = new Lane(clock, random, conditions, client, () => this.#serving?.listener?.drained());
  }

  get client(): Participant {
    return this.#setup.client;
  }

  get server(): Participant | undefined {
    return this.#server;
  }

  get isOpen(): boolean {
    return !this.response.isOver || this.#serving !== undefined;
  }

  /** Whether the client gave up, or was refused, before a server took the request. */
  get isAbandoned(): boolean {
    return this.response.isOver;
  }

  get isHalfOpen(): boolean {
    return this.isOpen && this.#toClient.passage === "lost";
  }

  get outboxBytes(): number {
    return this.#toClient.bufferedBytes;
  }

  get largestMessageBytes(): number {
    return this.#largestMessageBytes;
  }

  get bufferedBytes(): number {
    return this.#toClient.bufferedBytes;
  }

  /** Carries what the server answers. */
  send(bytes: number, kind: string, detail: string, arrive: () => void): void {
    this.#largestMessageBytes = Math.max(this.#largestMessageBytes, bytes);
    this.#toClient.send(bytes, kind, detail, arrive);
  }

  /** The request has arrived. */
  serve(server: Participant, service: HttpService, request: HttpRequest): void {
    const { clock, random, conditions } = this.#setup;
    const toServer = new Lane(clock, random, conditions, server, () => {});
    const over = (): void => {
      this.#serving = undefined;
    };
    const serving = new CarriedExchange(this, this.response, { tell: (task) => toServer.send(0, "ended", this.name, task), over });
    this.#server = server;
    this.#toServer = toServer;
    this.#serving = serving;
    service.serve(request, serving);
  }

  /** The server cannot be reached. */
  refuse(): void {
    this.#toClient.send(0, "refused", this.name, () => this.response.fail("refused"));
  }

  /** The client does not want the answer any more. */
  abort(): void {
    this.response.fail("aborted");
    this.#toServer?.send(0, "aborted", this.name, () => this.#serving?.close());
  }

  cut(reason: string): void {
    this.lose();
    const { clock, random, client, conditions } = this.#setup;
    const inMs = (): number => random.between(0, conditions.delayMs[1]);
    if (!this.response.isOver) clock.plan({ inMs: inMs(), kind: "cut", owner: client, detail: this.name }, () => this.response.fail(reason));
    if (this.#serving === undefined || this.#server === undefined) return;
    clock.plan({ inMs: inMs(), kind: "ended", owner: this.#server, detail: `${this.name} ${reason}` }, () => this.#serving?.close());
  }

  lose(): void {
    this.#toClient.lose();
    this.#toServer?.lose();
  }

  stallReader(): void {
    this.#toClient.stall();
  }

  stall(): void {
    this.#toClient.stall();
    this.#toServer?.stall();
  }

  resume(): void {
    this.#toClient.resume();
    this.#toServer?.resume();
  }

  reshape(conditions: LinkConditions): void {
    this.#toClient.reshape(conditions);
    this.#toServer?.reshape(conditions);
  }

  loseServer(machine: "kept" | "gone"): void {
    this.#serving = undefined;
    this.lose();
    if (machine === "gone" || this.response.isOver) return;
    const { clock, random, client, conditions } = this.#setup;
    const plan = { inMs: random.between(0, conditions.delayMs[1]), kind: "cut", owner: client, detail: this.name };
    clock.plan(plan, () => this.response.fail("server gone"));
  }
}
