import { closeCodeOf, jsonCodec, readClientFrame, TuttiError, wireErrorOf, type ClientFrame, type ClientFrameOf, type Codec, type Encoded, type ErrorCode, type Position, type Received, type ServerFrame, type WireEvent } from "@tutti/protocol";
import type { Link, LinkEvents, Transport } from "../../src/index.js";

export const PUBLIC_ID = "public";
const EPOCH = "e1";

export const at = (seq: number, epoch = EPOCH): Position => ({ epoch, seq });

/** One link as the server sees it. */
export class FakeLink implements Link {
  readonly sent: ClientFrame[] = [];
  readonly messages: Encoded[] = [];
  readonly #events: LinkEvents;
  readonly #codec: Codec;
  status: "opening" | "open" | "closed" = "opening";
  /** What the client closed it with. */
  closedBy: number | undefined;

  constructor(events: LinkEvents, codec: Codec) {
    this.#events = events;
    this.#codec = codec;
  }

  send(data: Encoded): void {
    if (this.status !== "open") throw new Error(`sent on a link that is ${this.status}`);
    this.messages.push(data);
    this.sent.push(...this.#codec.decode(data).map(readClientFrame));
  }

  close(closeCode: number): void {
    if (this.status === "closed") throw new Error("closed twice");
    this.status = "closed";
    this.closedBy = closeCode;
  }

  open(): void {
    this.status = "open";
    this.#events.opened();
  }

  /** The server's words, in one message. */
  say(...frames: readonly ServerFrame[]): void {
    this.raw(this.#codec.encode(frames));
  }

  raw(data: Received): void {
    if (this.status === "open") this.#events.message(data);
  }

  welcome(changes: Partial<Extract<ServerFrame, { op: "welcome" }>> = {}): void {
    this.say({
      op: "welcome",
      version: 1,
      session: PUBLIC_ID,
      connection: "c1",
      capabilities: [],
      heartbeat: { intervalMs: 25_000, timeoutMs: 5_000 },
      limits: { messageBytesMax: 65_536 },
      timestamp: 0,
      ...changes,
    });
  }

  /** The server, or the network, ends the link. */
  cut(code: ErrorCode | "lost" = "lost", retryAfterMs?: number): void {
    const error = code === "lost" ? undefined : new TuttiError(code, { ...(retryAfterMs !== undefined && { retryAfterMs }) });
    if (error !== undefined) this.say({ op: "error", error: wireErrorOf(error) });
    if (this.status === "closed") return;
    this.status = "closed";
    this.#events.closed(closeCodeOf(code) ?? 1006, "");
  }

  /** The link ends with a close code and without a word. */
  end(closeCode: number): void {
    this.status = "closed";
    this.#events.closed(closeCode, "");
  }

  /** What was closed says more, as one whose end is under way may. */
  revive(): void {
    this.status = "open";
  }

  /** What the client sent with this `op`. */
  of<Op extends ClientFrame["op"]>(op: Op): readonly ClientFrameOf<Op>[] {
    return this.sent.filter((frame): frame is ClientFrameOf<Op> => frame.op === op);
  }

  /** The last frame with this `op`. */
  last<Op extends ClientFrame["op"]>(op: Op): ClientFrameOf<Op> {
    const frame = this.of(op).at(-1);
    if (frame === undefined) throw new Error(`the client sent no ${op}, but ${this.sent.map((other) => other.op).join(", ")}`);
    return frame;
  }

  answer({ correlationId }: { readonly correlationId: string }, data: unknown = {}): void {
    this.say({ op: "reply", correlationId, success: true, data });
  }

  refuse({ correlationId }: { readonly correlationId: string }, code: string, retryAfterMs?: number): void {
    this.say({ op: "reply", correlationId, success: false, error: { code, message: code, ...(retryAfterMs !== undefined && { retryAfterMs }) } });
  }

  ack(frame: ClientFrameOf<"publish">, seq: number, session = PUBLIC_ID): void {
    this.answer(frame, { position: at(seq), eventId: `${session}:${frame.n}` });
  }

  /** Events of a channel, the first at `seq`. */
  events(channel: string, seq: number, ...events: readonly WireEvent[]): void {
    this.say({ op: "events", channel, epoch: EPOCH, seq, events });
  }
}

/** A transport whose other end is the test. */
export class FakeTransport implements Transport {
  readonly name = "fake";
  readonly links: FakeLink[] = [];
  readonly urls: string[] = [];
  readonly subprotocols: string[] = [];
  /** What the server speaks. */
  codec: Codec = jsonCodec;
  /** The most links that were not closed at once. */
  liveMax = 0;

  open(url: string, subprotocol: string, events: LinkEvents): Link {
    const link = new FakeLink(events, this.codec);
    this.links.push(link);
    this.urls.push(url);
    this.subprotocols.push(subprotocol);
    this.liveMax = Math.max(this.liveMax, this.links.filter(({ status }) => status !== "closed").length);
    return link;
  }

  get link(): FakeLink {
    const link = this.links.at(-1);
    if (link === undefined) throw new Error("the client opened no link");
    return link;
  }
}

/** An event as the server sends it; `id` is what stands behind the session. */
export function event(type: string, payload: unknown, eventId: string, timestamp = 1): WireEvent {
  return { type, payload, eventId, timestamp };
}
