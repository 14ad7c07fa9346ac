import { TuttiError } from "@tutti/protocol";
import type { Connection } from "../../connections/connection.js";
import type { Packet } from "../../connections/packet.js";
import type { NodeState } from "../../node-state.js";
import type { SessionUplink, UplinkMessages } from "../../sessions/forwarding.js";
import type { HttpExchange, HttpListener } from "../exchange.js";
import type { Framing } from "./framing.js";
import { Inbox } from "./inbox.js";
import { CLOSING_BYTES_MAX, type HttpLink, type LinkParts } from "./link.js";
import { TokenHold } from "./token-hold.js";

interface StreamLinkParts extends LinkParts {
  readonly framing: Framing;
}

/** A link whose downlink is the answer to the request that opened it. It lives as long as that. */
export class StreamLink implements HttpLink, SessionUplink, HttpListener {
  readonly name: Framing["name"];
  readonly carriesHello = true;
  readonly remoteAddress: string;
  readonly #node: NodeState;
  readonly #exchange: HttpExchange;
  readonly #framing: Framing;
  readonly #inbox = new Inbox();
  readonly #hold: TokenHold;
  #connection: Connection | undefined;
  #phase: "greeting" | "open" | "left" | "closed" = "greeting";
  /** When something was written last, or a sweep after that. */
  #writtenAt: number | undefined;

  constructor({ node, request, exchange, framing }: StreamLinkParts) {
    this.name = framing.name;
    this.remoteAddress = request.remoteAddress;
    this.#node = node;
    this.#exchange = exchange;
    this.#framing = framing;
    this.#hold = new TokenHold(node, this);
    exchange.listener = this;
    // No proxy is to keep, change or collect what passes.
    exchange.begin({ status: 200, headers: { "Content-Type": framing.contentType, "Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no" } });
    this.#write([framing.padding]);
  }

  get isOver(): boolean {
    return this.#phase === "closed";
  }

  get bufferedBytes(): number {
    return this.#exchange.bufferedBytes;
  }

  attach(connection: Connection): void {
    this.#connection = connection;
    this.#inbox.attach(connection);
  }

  send(packets: readonly Packet[]): void {
    if (this.#phase === "closed" || this.#phase === "left") return;
    const chunks = packets.map((packet) => packet.framed(this.#framing.message));
    if (this.#phase === "greeting") chunks.unshift(...this.#opening());
    this.#write(chunks);
  }

  close(closeCode: number, reason: string): void {
    if (this.#phase === "closed") return;
    // Who does not read what is there does not read that it is over.
    if (this.bufferedBytes > CLOSING_BYTES_MAX) return this.terminate();
    this.#write([this.#framing.record("close", { code: closeCode, reason })]);
    this.forget();
    this.#exchange.end();
  }

  terminate(): void {
    this.forget();
    this.#exchange.terminate();
  }

  forget(): void {
    this.#phase = "closed";
    this.#hold.release();
  }

  drained(): void {
    this.#connection?.drained();
  }

  /** The client has gone. What it said as it went may come behind: a goodbye is waited for until the next sweep. */
  closed(): void {
    if (this.#phase === "open") this.#phase = "left";
    else this.#leave();
  }

  receive(messages: UplinkMessages): void {
    this.#inbox.take(messages);
  }

  poll(): never {
    throw new TuttiError("FRAME_INVALID", { message: "what comes down a stream is not polled" });
  }

  sweep(now: number): void {
    if (this.#phase === "left") return this.#leave();
    this.#writtenAt ??= now;
    const isQuiet = now - this.#writtenAt >= this.#node.services.bounds.httpHeartbeatMs;
    if (isQuiet && this.#phase !== "closed" && this.bufferedBytes === 0) this.#write([this.#framing.heartbeat]);
  }

  #leave(): void {
    this.forget();
    this.#connection?.closed();
  }

  /** What stands before the first message after admission; before that nothing does. */
  #opening(): readonly Uint8Array[] {
    const opening = this.#hold.open(this.#connection);
    if (opening === undefined) return [];
    this.#phase = "open";
    return [this.#framing.record("open", opening)];
  }

  /** The clock is not looked at for each write: the next sweep knows well enough when that was. */
  #write(chunks: readonly Uint8Array[]): void {
    this.#writtenAt = undefined;
    this.#exchange.write(chunks);
  }
}
