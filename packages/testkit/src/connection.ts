import type { Link, LinkEvents } from "@tutti/client";
import type { Codec, Encoded } from "@tutti/protocol";
import type { ConnectionEvents, Packet, ServerTransport } from "@tutti/server";
import type { SimulatedClock } from "./clock.js";
import { Lane, network, type LinkConditions } from "./lane.js";
import type { Participant } from "./participant.js";
import type { RandomStream } from "./random.js";
import type { SimulatedWay } from "./simulated-way.js";

const ABNORMAL_CLOSE = 1006;
const GOING_AWAY = 1001;
/** How long a side that closed waits for the other's answer, as `ws` does. */
const CLOSE_TIMEOUT_MS = 30_000;
/** How much later a message may come, or come a second time, than it should. */
const LATE_MS_MAX = 2_000;
/** A message's frame around it. */
const FRAMING_BYTES = 6;

/** What becomes of one message: a faulty node may send one twice, after others, or not at all, over a connection that is well. */
export type MessageFate = "arrives" | "arrives twice" | "arrives late" | "is lost";

/** What a connection needs to come about. */
export interface ConnectionSetup {
  readonly clock: SimulatedClock;
  /** This connection's own. */
  readonly random: RandomStream;
  readonly conditions: LinkConditions;
  readonly client: Participant;
  /** What both ends speak. */
  readonly codec: Codec;
  readonly events: LinkEvents;
  /** Decides for each message of the server. */
  readonly fateOf: (message: Encoded, random: RandomStream) => MessageFate;
}

function textOf(data: Encoded): string {
  return typeof data === "string" ? data : `${data.length} bytes`;
}

/**
 * One simulated connection, with a client's link at one end and a server's transport at the other. What the ends encode is what passes.
 * Faults are done to it by its methods; a connection that was cut or lost never recovers, as in real life.
 */
export class SimulatedConnection implements SimulatedWay {
  readonly name: string;
  readonly link: Link;
  readonly #setup: ConnectionSetup;
  readonly #toClient: Lane;
  #toServer: Lane | undefined;
  #largestMessageBytes = 0;
  #server: Participant | undefined;
  /** Who still wants to hear of it at the client. */
  #linkEvents: LinkEvents | undefined;
  /** Who still wants to hear of it at the server. */
  #serverEvents: ConnectionEvents | undefined;

  constructor(name: string, setup: ConnectionSetup) {
    this.name = name;
    this.#setup = setup;
    this.#linkEvents = setup.events;
    const { clock, random, conditions, client } = setup;
    this.#toClient = new Lane(clock, random, conditions, client, () => this.#serverEvents?.drained());
    this.link = this.#clientEnd();
  }

  /** Whether either end still believes in it. */
  get isOpen(): boolean {
    return this.#linkEvents !== undefined || this.#serverEvents !== undefined;
  }

  /** What the server has sent and its process still holds. */
  get outboxBytes(): number {
    return this.#toClient.bufferedBytes;
  }

  /** The size of the largest message that the server has sent. */
  get largestMessageBytes(): number {
    return this.#largestMessageBytes;
  }

  get server(): Participant | undefined {
    return this.#server;
  }

  get client(): Participant {
    return this.#setup.client;
  }

  /** Whether the client gave up, or was refused, before a server took the connection. */
  get isAbandoned(): boolean {
    return this.#linkEvents === undefined;
  }

  /** The server takes it. */
  accept(server: Participant, accept: (transport: ServerTransport) => ConnectionEvents): void {
    const { clock, random, conditions } = this.#setup;
    this.#server = server;
    this.#toServer = new Lane(clock, random, conditions, server, () => {});
    this.#toClient.send(0, "opened", this.name, () => this.#linkEvents?.opened());
    this.#serverEvents = accept(this.#serverEnd(this.#toServer));
  }

  /** The server cannot be reached. */
  refuse(): void {
    this.#toClient.send(0, "refused", this.name, () => this.#endClient(ABNORMAL_CLOSE, "refused"));
  }

  /** Ends it for both, who are told after a moment; what was under way is lost. */
  cut(reason: string): void {
    this.lose();
    const { clock, random, client, conditions } = this.#setup;
    const inMs = random.between(0, conditions.delayMs[1]);
    if (this.#linkEvents !== undefined)
      clock.plan({ inMs, kind: "cut", owner: client, detail: this.name }, () => this.#endClient(ABNORMAL_CLOSE, reason));
    this.#endServerIn(random.between(0, conditions.delayMs[1]), reason);
  }

  /** From now on bytes vanish, and nobody is told. */
  lose(): void {
    this.#toClient.lose();
    this.#toServer?.lose();
  }

  /** Whether bytes vanish while both ends believe in it. */
  get isHalfOpen(): boolean {
    return this.isOpen && this.#toClient.passage === "lost";
  }

  /** The client stops reading. */
  stallReader(): void {
    this.#toClient.stall();
  }

  /** Nothing moves, in either direction. */
  stall(): void {
    this.#toClient.stall();
    this.#toServer?.stall();
  }

  /** What is sent from now on is treated like this; what is under way arrives first. */
  reshape(conditions: LinkConditions): void {
    this.#toClient.reshape(conditions);
    this.#toServer?.reshape(conditions);
  }

  resume(): void {
    this.#toClient.resume();
    this.#toServer?.resume();
  }

  #endClient(closeCode: number, reason: string): void {
    const events = this.#linkEvents;
    this.#linkEvents = undefined;
    events?.closed(closeCode, reason);
  }

  #endServer(): void {
    const events = this.#serverEvents;
    this.#serverEvents = undefined;
    events?.closed();
  }

  #endServerIn(inMs: number, reason: string): void {
    if (this.#server === undefined || this.#serverEvents === undefined) return;
    const plan = { inMs, kind: "ended", owner: this.#server, detail: `${this.name} ${reason}` };
    this.#setup.clock.plan(plan, () => this.#endServer());
  }

  #clientEnd(): Link {
    const toServer = (): Lane | undefined => this.#toServer;
    return {
      send: (data) => {
        if (this.#linkEvents === undefined) return;
        const arrive = (): void => this.#serverEvents?.message(data);
        toServer()?.send(data.length + FRAMING_BYTES, "→ server", textOf(data), arrive);
      },
      close: (closeCode, reason) => {
        this.#linkEvents = undefined;
        toServer()?.send(0, "bye", `${this.name} ${closeCode} ${reason}`, () => this.#endServer());
      },
    };
  }

  #serverEnd(toServer: Lane): ServerTransport {
    const lane = this.#toClient;
    let isClosing = false;
    return {
      name: "websocket",
      codec: this.#setup.codec,
      remoteAddress: this.client.name,
      get bufferedBytes() {
        return lane.bufferedBytes;
      },
      send: (packets: readonly Packet[]) => {
        if (isClosing) return;
        for (const { data } of packets) this.#sendToClient(data);
      },
      close: (closeCode, reason) => {
        if (isClosing) return;
        isClosing = true;
        lane.send(0, "closing", `${this.name} ${closeCode} ${reason}`, () => {
          this.#endClient(closeCode, reason);
          toServer.send(0, "ended", this.name, () => this.#endServer());
        });
        this.#endServerIn(CLOSE_TIMEOUT_MS, "not answered");
      },
      terminate: () => {
        isClosing = true;
        lane.send(0, "reset", this.name, () => this.#endClient(ABNORMAL_CLOSE, "reset"));
        this.#endServerIn(0, "terminated");
      },
    };
  }

  #sendToClient(data: Encoded): void {
    const { clock, random, fateOf } = this.#setup;
    const bytes = data.length + FRAMING_BYTES;
    const send = (): void => this.#toClient.send(bytes, "→ client", textOf(data), () => this.#linkEvents?.message(data));
    this.#largestMessageBytes = Math.max(this.#largestMessageBytes, bytes);
    const fate = fateOf(data, random);
    if (fate === "arrives" || fate === "arrives twice") send();
    if (fate === "arrives twice" || fate === "arrives late") {
      clock.plan({ inMs: random.between(0, LATE_MS_MAX), kind: fate, owner: network, detail: this.name }, send);
    }
  }

  /** The server's process is gone: with it running kernel, which says so, or with the whole machine, which says nothing. */
  loseServer(machine: "kept" | "gone"): void {
    this.#serverEvents = undefined;
    this.lose();
    if (machine === "gone" || this.#linkEvents === undefined) return;
    const { clock, random, client, conditions } = this.#setup;
    const plan = { inMs: random.between(0, conditions.delayMs[1]), kind: "cut", owner: client, detail: this.name };
    clock.plan(plan, () => this.#endClient(GOING_AWAY, "server gone"));
  }
}
