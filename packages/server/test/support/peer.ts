import {
  jsonCodec,
  limits,
  readServerFrame,
  type ClientFrame,
  type ClientFrameOf,
  type LastSeen,
  type Member,
  type PresenceChange,
  type Rewind,
  type ServerFrame,
  type ServerFrameOf,
  type SubscriptionStart,
  type WireSignal,
} from "@tutti/protocol";
import { subscribeResult } from "@tutti/protocol";
import type { ConnectionEvents, HandshakeRequest, Server } from "@tutti/server";
import { FakeTransport } from "./fake-transport.js";
import type { ManualEnvironment } from "./manual-environment.js";

type WithoutId<Frame> = Frame extends { readonly correlationId: string } ? Omit<Frame, "correlationId"> : never;
/** A frame that is answered; the peer gives it its correlation id. */
export type Request = WithoutId<ClientFrame>;

/** One event as it stands in the chain of its channel. */
export interface ReceivedEvent {
  readonly epoch: string;
  readonly seq: number;
  readonly prev: number;
  readonly eventId: string;
  readonly type: string;
  readonly payload: unknown;
  readonly user: string | undefined;
}

export interface HelloOptions {
  readonly secret?: string;
  readonly token?: string;
  readonly client?: { readonly name: string; readonly version: string };
  readonly capabilities?: readonly string[];
  readonly versions?: readonly number[];
}

const REQUEST: HandshakeRequest = { url: "/v1/connect", headers: { cookie: "theme=dark" } };

/** A client that does nothing by itself: it sends what a test wants sent, and keeps what comes. Every frame that comes is one of the protocol. */
export class Peer {
  readonly transport = new FakeTransport();
  readonly events: ConnectionEvents;
  readonly #environment: Pick<ManualEnvironment, "settle">;
  readonly #frames: ServerFrame[] = [];
  #read = 0;
  #requests = 0;

  constructor(server: Pick<Server, "accept">, environment: Pick<ManualEnvironment, "settle">) {
    this.#environment = environment;
    this.events = server.accept(this.transport, REQUEST);
  }

  /** Everything that came, in order. */
  get frames(): readonly ServerFrame[] {
    for (; this.#read < this.transport.messages.length; this.#read++) {
      const message = this.transport.messages[this.#read] ?? "";
      this.#frames.push(...jsonCodec.decode(message, limits.serverDepthMax).map(readServerFrame));
    }
    return this.#frames;
  }

  /** The code that the server closed with. */
  get closeCode(): number | undefined {
    return this.transport.closing?.closeCode;
  }

  of<Op extends ServerFrame["op"]>(op: Op): ServerFrameOf<Op>[] {
    return this.frames.filter((frame): frame is ServerFrameOf<Op> => frame.op === op);
  }

  /** The codes of the errors that no request asked for. */
  get errorCodes(): string[] {
    return this.of("error").map(({ error }) => error.code);
  }

  eventsOf(channel: string): ReceivedEvent[] {
    return this.of("events").flatMap((frame) => (frame.channel === channel ? unfold(frame) : []));
  }

  payloadsOf(channel: string): unknown[] {
    return this.eventsOf(channel).map(({ payload }) => payload);
  }

  signalsOf(channel: string): WireSignal[] {
    return this.of("signals").flatMap((frame) => (frame.channel === channel ? frame.signals : []));
  }

  /** The changes of presence that came after the list, as `type session`. */
  changesOf(channel: string): PresenceChange[] {
    return this.of("presence").flatMap((frame) => (frame.channel === channel ? (frame.changes ?? []) : []));
  }

  listsOf(channel: string): (readonly Member[])[] {
    return this.of("presence").flatMap(({ channel: name, members }) => (name === channel && members !== undefined ? [members] : []));
  }

  /** Forgets what came until now. */
  forget(): void {
    void this.frames;
    this.#frames.length = 0;
  }

  raw(message: string | Uint8Array): void {
    this.events.message(message);
  }

  send(...frames: readonly ClientFrame[]): void {
    this.raw(jsonCodec.encode(frames));
  }

  /** Sends a request, and waits for nothing. Returns its correlation id. */
  request(request: Request): string {
    const correlationId = `r${++this.#requests}`;
    this.raw(jsonCodec.encode([{ ...request, correlationId }]));
    return correlationId;
  }

  replyTo(correlationId: string): ServerFrameOf<"reply"> | undefined {
    const replies = this.of("reply").filter((reply) => reply.correlationId === correlationId);
    if (replies.length > 1) throw new Error(`${correlationId} was answered ${replies.length} times`);
    return replies[0];
  }

  /** Sends a request and lets the server come to rest. The reply. */
  async ask(request: Request): Promise<ServerFrameOf<"reply">> {
    const correlationId = this.request(request);
    await this.#environment.settle();
    const reply = this.replyTo(correlationId);
    if (reply === undefined) throw new Error(`no answer to ${JSON.stringify(request)}`);
    return reply;
  }

  /** The code that a request is refused with; `undefined` where it succeeds. */
  async codeOf(request: Request): Promise<string | undefined> {
    return (await this.ask(request)).error?.code;
  }

  async hello({ secret = `secret-${"s".repeat(20)}`, versions = [1], ...rest }: HelloOptions = {}): Promise<ServerFrameOf<"welcome"> | undefined> {
    this.send({ op: "hello", versions, session: secret, ...rest });
    await this.#environment.settle();
    return this.of("welcome")[0];
  }

  /** Subscribes; the start. Rejects where the server refuses. */
  async subscribe(channel: string, options: { readonly since?: LastSeen; readonly rewind?: Rewind; readonly presence?: boolean; readonly member?: unknown } = {}): Promise<SubscriptionStart> {
    const { data, error } = await this.ask({ op: "subscribe", channel, ...options });
    if (error !== undefined) throw new Error(`${channel} refused: ${error.code}`);
    return subscribeResult.read(data, "data");
  }

  /** A publish as a client makes it: everything before it is settled, unless it says otherwise. */
  publishing(channel: string, n: number, payload: unknown, rest: Partial<ClientFrameOf<"publish">> = {}): Request {
    return { op: "publish", channel, n, settled: n - 1, type: "note:add", payload, timestamp: 0, ...rest };
  }

  /** The transport ends without a goodbye. */
  drop(): void {
    this.events.closed();
  }
}

/** The events of a frame, each with its place. */
export function unfold({ epoch, seq: first, prev: before, events }: ServerFrameOf<"events">): ReceivedEvent[] {
  let prev = before ?? first - 1;
  let next = first;
  return events.map(({ seq = next, eventId, type, payload, user }) => {
    const received: ReceivedEvent = { epoch, seq, prev, eventId, type, payload, user };
    prev = seq;
    next = seq + 1;
    return received;
  });
}
