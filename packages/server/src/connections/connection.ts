import {
  TuttiError,
  closeCodeOf,
  correlationIdOf,
  errorPolicies,
  errorRegistry,
  jsonCodec,
  limits,
  readClientFrame,
  wireErrorOf,
  type ClientFrame,
  type ClientFrameOf,
  type Codec,
  type ServerFrame,
} from "@tutti/protocol";
import { tuttiError } from "../errors.js";
import type { Newcomer } from "../lifecycle/hello-gate.js";
import type { NodeState } from "../node-state.js";
import { authenticate, type Admission } from "../policy/admission.js";
import { SessionRequests, type Replier } from "../sessions/session-requests.js";
import { Outbox } from "./outbox.js";
import { Packet } from "./packet.js";
import type { ConnectionEvents, Handshake, HandshakeRequest, ServerTransport } from "./transport.js";

/** How many intervals of its polls a client may be silent. */
const INTERVALS_MAX = 2.5;

/** What is known of a connection. */
export interface ConnectionMetadata {
  readonly connection: string;
  readonly session: string;
  readonly user: string | undefined;
  readonly client: { readonly name: string; readonly version: string } | undefined;
  readonly transport: string;
  readonly remoteAddress: string;
  /** Unix ms. */
  readonly since: number;
}

type Phase =
  | { readonly name: "greeting"; readonly request: HandshakeRequest | undefined }
  /** Has said hello, and waits for its turn. */
  | { readonly name: "waiting"; readonly hello: ClientFrameOf<"hello">; readonly request: HandshakeRequest | undefined }
  | { readonly name: "authenticating" }
  | {
      readonly name: "open";
      readonly requests: SessionRequests;
      readonly client: ConnectionMetadata["client"];
      /** Unix ms. */
      readonly since: number;
    }
  | { readonly name: "closed" };

/** What a new connection is given by its node. */
export interface ConnectionParts {
  /** How many came before it. */
  readonly ordinal: number;
  readonly node: NodeState;
  readonly transport: ServerTransport;
  readonly request: HandshakeRequest | undefined;
}

/** One protocol lifetime over one transport: from the first byte to the end, whichever side brings it. */
export class Connection implements ConnectionEvents, Newcomer, Replier {
  readonly ordinal: number;
  /** What it claims its session with, at other nodes: the connection of the largest claim is the latest one. */
  readonly claim: number;
  readonly outbox: Outbox;
  readonly #node: NodeState;
  readonly #transport: ServerTransport;
  #phase: Phase;
  /** How many of the hub's sweeps found that nothing had arrived since the one before. */
  #silentSweeps = 0;
  /** When the time for the hello is over, and then that of the token, on the monotonic clock. */
  #expiresAt: number;

  constructor({ ordinal, node, transport, request }: ConnectionParts) {
    const { environment, bounds } = node.services;
    this.ordinal = ordinal;
    this.claim = node.claims.next();
    this.#node = node;
    this.#transport = transport;
    this.outbox = new Outbox(transport, bounds.outboxBytesMax);
    this.#expiresAt = environment.elapsed() + bounds.helloTimeoutMs;
    this.#phase = { name: "greeting", request };
  }

  get codec(): Codec {
    return this.#transport.codec ?? jsonCodec;
  }

  /** Names it among those of all nodes. */
  get id(): string {
    return `${this.#node.services.node}-${this.ordinal.toString(36)}`;
  }

  /** What is known of it; `undefined` before its hello. */
  get metadata(): ConnectionMetadata | undefined {
    if (this.#phase.name !== "open") return undefined;
    const { requests, client, since } = this.#phase;
    return {
      connection: this.id,
      session: requests.caller.session,
      user: requests.caller.user?.id,
      client,
      transport: this.#transport.name,
      remoteAddress: this.#transport.remoteAddress,
      since,
    };
  }

  /** When it was welcomed, Unix ms. */
  get openedAt(): number | undefined {
    return this.#phase.name === "open" ? this.#phase.since : undefined;
  }

  /** Whether it came when its client opened it: then what came before it is the client's no more. */
  get provesOrder(): boolean {
    return this.#transport.carriesHello !== true;
  }

  get requests(): SessionRequests | undefined {
    return this.#phase.name === "open" ? this.#phase.requests : undefined;
  }

  message(data: string | Uint8Array): void {
    this.alive();
    if (this.#phase.name === "closed") return;
    let values: readonly unknown[];
    try {
      values = this.codec.decode(data);
    } catch (error) {
      this.#complain(error, undefined);
      return;
    }
    if (values.length > limits.batchFramesMax) {
      this.#complain(new TuttiError("LIMIT_EXCEEDED", { message: `batchFramesMax is ${limits.batchFramesMax}` }), undefined);
      return;
    }
    for (const value of values) this.#handle(value);
  }

  alive(): void {
    this.#silentSweeps = 0;
  }

  drained(): void {
    this.outbox.drained();
  }

  closed(): void {
    this.#finish("away");
  }

  /** Queues frames of this connection alone, for the end of this turn. */
  send(...frames: readonly ServerFrame[]): void {
    if (this.#phase.name === "closed") return;
    const { guards, turn } = this.#node.services;
    const packet = Packet.of(this.codec, frames);
    if (guards.sequence === false) this.#transport.send([packet]);
    else if (this.outbox.push(packet)) turn.writeFirst(this.outbox);
    else this.#cutOff();
  }

  /** Queues what others get too, or what is long: it leaves when those that waited before have had theirs. */
  push(packet: Packet): void {
    if (this.#phase.name === "closed") return;
    if (this.outbox.push(packet)) this.#node.services.turn.writeInLine(this.outbox);
    else this.#cutOff();
  }

  /** Ends the connection with an error whose code closes. The client hears the code, if it still hears anything. */
  fail(error: TuttiError, members: "leave" | "away" = "away"): void {
    if (this.#phase.name === "closed") return;
    const wire = wireErrorOf(error);
    // Where the outbox is full the close code has to do; it must not become that of a slow client.
    this.outbox.push(Packet.of(this.codec, [{ op: "error", error: wire }]));
    this.outbox.finish();
    this.#finish(members);
    this.#transport.close(closeCodeOf(wire.code) ?? 1011, wire.code);
  }

  /**
   * Another connection of its session is taken for the later one, here or at another node, and this one ends. Where that is proven it ends for good; else
   * the client, if this is the one that it has, comes back.
   */
  replaced({ isProven }: { readonly isProven: boolean }): void {
    if (this.#phase.name === "closed") return;
    if (isProven) return this.fail(new TuttiError("SESSION_REPLACED"));
    this.outbox.finish();
    this.#finish("away");
    this.#transport.close(errorRegistry.SESSION_MOVED.closeCode ?? 1011, "SESSION_MOVED");
  }

  /**
   * Looks after it, once in `sweepMs`: ends it where nothing has arrived for too long, or where the time for its hello, or that of its token, is over. Silence is
   * counted in sweeps: a loop that stands still hears nothing, and does not sweep either.
   */
  sweep(now: number, sweepMs: number): void {
    const { silenceMsMax } = this.#node.services.bounds;
    const { pollIntervalMs = 0 } = this.#transport;
    this.#silentSweeps++;
    if (this.#silentSweeps > Math.ceil(Math.max(silenceMsMax, INTERVALS_MAX * pollIntervalMs) / sweepMs)) this.fail(new TuttiError("HEARTBEAT_TIMEOUT"));
    else if (this.#expiresAt <= now) this.fail(new TuttiError(this.#phase.name === "open" ? "TOKEN_EXPIRED" : "HELLO_TIMEOUT"));
  }

  /** Its turn has come: asks the application who it is. */
  async admit(): Promise<void> {
    if (this.#phase.name !== "waiting") return;
    const { hello, request } = this.#phase;
    this.#phase = { name: "authenticating" };
    try {
      this.#open(hello, await authenticate(this.#node.authenticator, hello, this.#handshake(request)));
    } catch (error) {
      // Whatever the reason, and whether its code closes elsewhere or not: nobody goes on without being admitted.
      this.fail(tuttiError(error, this.#node.services.log, { connection: this.id }));
    }
  }

  /** The server ends a subscription. */
  evict(channel: string, error: TuttiError): void {
    this.requests?.evict(channel, error);
  }

  /**
   * Takes a new token of the same user; how long it holds, in ms, where it ends. A refusal ends the connection where its code says so.
   *
   * @throws TuttiError as the application refuses, `USER_CHANGED`, or `UNAVAILABLE`
   */
  async refresh(token: string): Promise<{ readonly tokenExpiresMs?: number }> {
    try {
      const user = await this.#node.authenticator.user({ token, handshake: this.#handshake() });
      if (this.#phase.name !== "open") return {};
      if (user?.id !== this.#phase.requests.caller.user?.id) throw new TuttiError("USER_CHANGED");
      this.#phase.requests.changeUser(user);
      return this.#noteExpiry(user?.expiresAt);
    } catch (cause) {
      const error = tuttiError(cause, this.#node.services.log, { connection: this.id });
      if (closeCodeOf(error.code) !== undefined) this.fail(error);
      throw error;
    }
  }

  /** Ends what the connection holds, once. */
  #finish(members: "leave" | "away"): void {
    const phase = this.#phase;
    if (phase.name === "closed") return;
    this.#phase = { name: "closed" };
    this.outbox.close();
    this.#node.connections.delete(this);
    if (phase.name === "waiting") this.#node.hellos.leave(this);
    if (phase.name !== "open") return;
    phase.requests.end(members);
    this.#node.sessions.remove(this, phase.requests.caller);
  }

  /** The client reads too slowly. What waits is dropped, and the client recovers it by its positions. */
  #cutOff(): void {
    this.#finish("away");
    this.#transport.close(errorPolicies.SLOW_CONSUMER.closeCode, "SLOW_CONSUMER");
  }

  #handle(value: unknown): void {
    if (this.#phase.name === "closed") return;
    try {
      if (this.#phase.name === "open") this.#serve(readClientFrame(value), this.#phase.requests);
      else this.#greet(readHello(value));
    } catch (error) {
      this.#complain(error, correlationIdOf(value));
    }
  }

  #serve(frame: ClientFrame, requests: SessionRequests): void {
    switch (frame.op) {
      case "hello":
        throw helloRepeated();
      case "ping":
        return this.send({ op: "pong" });
      case "bye":
        this.#finish("leave");
        return this.#transport.close(1000, "bye");
      default:
        return requests.serve(frame);
    }
  }

  /** Answers what went wrong: the request where there is one, and closes where the registry says so. */
  #complain(cause: unknown, correlationId: string | undefined): void {
    const error = tuttiError(cause, this.#node.services.log, { connection: this.id });
    if (closeCodeOf(error.code) !== undefined) this.fail(error);
    else if (correlationId === undefined) this.send({ op: "error", error: wireErrorOf(error) });
    else this.send({ op: "reply", correlationId, success: false, error: wireErrorOf(error) });
  }

  #greet(hello: ClientFrameOf<"hello">): void {
    if (this.#phase.name !== "greeting") throw helloRepeated();
    const { request } = this.#phase;
    this.#phase = { name: "waiting", hello, request };
    if (!this.#node.hellos.enter(this)) this.fail(this.#node.readiness.noPlace());
  }

  /** What the application is told of the client, its address where it asks for it. */
  #handshake(request?: HandshakeRequest): Handshake {
    const transport = this.#transport;
    return {
      get remoteAddress() {
        return transport.remoteAddress;
      },
      ...(request !== undefined && { request }),
    };
  }

  #open(hello: ClientFrameOf<"hello">, admission: Admission): void {
    if (this.#phase.name !== "authenticating") return;
    const { environment, bounds } = this.#node.services;
    const { session, user } = admission;
    const rival = this.#node.sessions.get(session);
    // A client opens one connection after the other, so the later one is the living one. A hello may come late, over a connection that its
    // client has given up, and must not end the one that it has now.
    if (rival !== undefined && rival.ordinal > this.ordinal) return this.replaced({ isProven: rival.provesOrder });
    rival?.replaced({ isProven: this.provesOrder });
    const requests = new SessionRequests(this.#node, { session, user }, this);
    this.#phase = { name: "open", requests, client: hello.client, since: environment.now() };
    this.#node.sessions.add(this, requests.caller);
    this.#node.claims.tell(session, this);
    this.send({
      op: "welcome",
      version: admission.version,
      session,
      connection: this.id,
      ...(user !== undefined && { user: user.id }),
      capabilities: admission.capabilities,
      heartbeat: { intervalMs: Math.max(bounds.heartbeatIntervalMs, this.#transport.pollIntervalMs ?? 0), timeoutMs: bounds.heartbeatTimeoutMs },
      limits: { messageBytesMax: bounds.messageBytesMax },
      ...this.#noteExpiry(user?.expiresAt),
      timestamp: environment.now(),
    });
    requests.enterMemberships();
  }

  /** Remembers when the token runs out, by the monotonic clock; how long that is from now. */
  #noteExpiry(expiresAt: number | undefined): { readonly tokenExpiresMs?: number } {
    const { environment } = this.#node.services;
    if (expiresAt === undefined) {
      this.#expiresAt = Number.POSITIVE_INFINITY;
      return {};
    }
    const tokenExpiresMs = Math.max(0, Math.floor(expiresAt - environment.now()));
    this.#expiresAt = environment.elapsed() + tokenExpiresMs;
    return { tokenExpiresMs };
  }
}

/** The one frame that may come first. @throws TuttiError `HELLO_REQUIRED` for any other, `FRAME_INVALID` for a hello with a wrong field */
function readHello(value: unknown): ClientFrameOf<"hello"> {
  const isHello = typeof value === "object" && value !== null && "op" in value && value.op === "hello";
  const frame = isHello ? readClientFrame(value) : undefined;
  if (frame?.op !== "hello") throw new TuttiError("HELLO_REQUIRED");
  return frame;
}

function helloRepeated(): TuttiError {
  return new TuttiError("FRAME_INVALID", { message: "hello was said already", field: "op" });
}
