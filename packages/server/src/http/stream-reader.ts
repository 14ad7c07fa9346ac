import { TuttiError, type Codec, type SubscriptionStart } from "@tutti/protocol";
import type { StartFrom } from "../channels/replay.js";
import type { Subscriber } from "../channels/subscription.js";
import { Subscriptions } from "../channels/subscriptions.js";
import { Outbox } from "../connections/outbox.js";
import { Packet } from "../connections/packet.js";
import { tuttiError } from "../errors.js";
import type { NodeState } from "../node-state.js";
import type { HttpCaller } from "./callers.js";
import type { HttpExchange, HttpListener } from "./exchange.js";
import { bytesOf, streamHeaders, type StreamFormat } from "./formats.js";
import { READER_REQUESTS, type Reader } from "./readers.js";
import { endRecord, startRecord } from "./records.js";

interface StreamReaderParts {
  readonly node: NodeState;
  readonly caller: HttpCaller;
  readonly exchange: HttpExchange;
  readonly format: StreamFormat;
  readonly channel: string;
}

/** Streams a channel's events to one request: a subscription as a connection has it, that writes records instead of frames. */
export class StreamReader implements Reader, Subscriber, HttpListener {
  readonly channel: string;
  readonly requests = READER_REQUESTS;
  readonly outbox: Outbox;
  readonly #node: NodeState;
  readonly #caller: HttpCaller;
  readonly #exchange: HttpExchange;
  readonly #format: StreamFormat;
  readonly #subscriptions: Subscriptions;
  /** When something was written last, on the monotonic clock. */
  #wroteAt: number;

  constructor({ node, caller, exchange, format, channel }: StreamReaderParts) {
    const { bounds, environment } = node.services;
    this.channel = channel;
    this.outbox = new Outbox(this, bounds.outboxBytesMax);
    this.#node = node;
    this.#caller = caller;
    this.#exchange = exchange;
    this.#format = format;
    this.#subscriptions = new Subscriptions(node, caller, this);
    this.#wroteAt = environment.elapsed();
  }

  get codec(): Codec {
    return this.#format.codec;
  }

  get session(): string {
    return this.#caller.session;
  }

  get user(): string | undefined {
    return this.#caller.user?.id;
  }

  get bufferedBytes(): number {
    return this.#exchange.bufferedBytes;
  }

  /** Begins the stream; nothing was answered where it rejects. @throws TuttiError as a subscription is refused, `UNAVAILABLE` */
  async open(from: StartFrom): Promise<void> {
    this.#node.readers.add(this);
    this.#exchange.listener = this;
    try {
      await this.#subscriptions.subscribe({ channel: this.channel, ...from }, (start) => this.#begin(start));
    } catch (error) {
      this.closed();
      throw error;
    }
  }

  push(packet: Packet): void {
    // Signals are nothing to who reads events.
    if (packet.bytes === 0) return;
    if (this.outbox.push(packet)) this.#node.services.turn.writeInLine(this.outbox);
    else this.#cutOff();
  }

  /** For the outbox. */
  send(packets: readonly Packet[]): void {
    this.#wroteAt = this.#node.services.environment.elapsed();
    this.#exchange.write(packets.map((packet) => packet.framed(bytesOf)));
  }

  evict(channel: string, error: TuttiError): void {
    if (channel !== this.channel) return;
    this.#node.readers.remove(this);
    // One that has not begun is refused with the error.
    if (!this.#subscriptions.evict(channel, error)) return;
    this.outbox.push(Packet.of(this.codec, [endRecord(tuttiError(error, this.#node.services.log, { channel }))]));
    this.outbox.finish();
    this.outbox.close();
    this.#exchange.end();
  }

  fail(error: TuttiError): void {
    this.evict(this.channel, error);
  }

  sweep(now: number): void {
    const { httpHeartbeatMs } = this.#node.services.bounds;
    if (this.#caller.expiresAt <= now) this.fail(new TuttiError("TOKEN_EXPIRED"));
    else if (now - this.#wroteAt >= httpHeartbeatMs && this.#isSilent) this.push(this.#format.heartbeat);
  }

  drained(): void {
    this.outbox.drained();
  }

  closed(): void {
    this.#node.readers.remove(this);
    this.#subscriptions.endAll("leave");
    this.outbox.close();
  }

  /** Whether nothing is on its way that shows by itself that the stream is there. */
  get #isSilent(): boolean {
    return this.#exchange.phase === "streaming" && this.outbox.bytes === 0;
  }

  #begin(start: SubscriptionStart): void {
    // Where a state cannot be sent, the answer is a problem.
    const packet = Packet.of(this.codec, [{ kind: "start", ...startRecord(start) }]);
    this.#exchange.begin({ status: 200, headers: streamHeaders(this.#format) });
    if (this.outbox.push(packet)) this.#node.services.turn.writeFirst(this.outbox);
  }

  /** The client reads too slowly. What waits is dropped, and the client recovers it by its position. */
  #cutOff(): void {
    this.closed();
    this.#exchange.terminate();
  }
}
