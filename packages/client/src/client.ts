import {
  channelName,
  namespaceOf,
  TuttiError,
  type Cancel,
  type Contract,
  type ServerFrame,
  type ServerFrameOf,
} from "@tutti/protocol";
import { ActivityWatch, type Activity } from "./activity.js";
import { Backoff } from "./backoff.js";
import { browserDebug, browserEnvironment, browserLifecycle } from "./browser-environment.js";
import { callSchemas, ClientChannel } from "./channel.js";
import { Channels } from "./channels.js";
import { Calls, type Call, type CallOptions } from "./calls.js";
import type { UntypedContract } from "./channel-types.js";
import type { Client, ClientEvents } from "./client-types.js";
import { Connection, refreshDelayMs, type ConnectionInfo } from "./connection.js";
import { Emitter, Listeners } from "./emitter.js";
import type { Envelope } from "./envelope.js";
import type { LifecycleEvents } from "./lifecycle.js";
import { configOf, type ClientOptions } from "./options.js";
import { measure, type Entry, type Settled } from "./outbound-queue.js";
import { OutboundQueues, type PendingTotals } from "./outbound-queues.js";
import { Requests, type Reply } from "./requests.js";
import { Session } from "./session.js";
import type { StoredPublish } from "./storage.js";
import type { ReadonlyStore } from "./store.js";
import { TokenKeeper } from "./token.js";
import { webSocketTransport } from "./transports/websocket.js";

/** Puts the parts of a client together; `Client` is its typed face. */
class TuttiClient {
  readonly #contract: Contract | undefined;
  readonly #environment;
  readonly #lifecycle;
  readonly #session: Session;
  readonly #token: TokenKeeper;
  readonly #connection: Connection;
  readonly #requests: Requests;
  readonly #queues: OutboundQueues;
  readonly #calls: Calls;
  readonly #channels: Channels;
  readonly #activity: ActivityWatch;
  readonly #refreshBackoff: Backoff;
  // What these two listeners throw has nowhere else to go.
  readonly #errors = new Listeners<TuttiError>(() => {});
  readonly #any = new Listeners<Envelope>((cause) => this.#errors.emit(listenerError(cause)));
  readonly #emitter = new Emitter((cause) => this.#report(cause));
  #ready: Promise<unknown> | undefined;
  #status: ConnectionInfo["status"] = "disconnected";
  #watching: Cancel | undefined;

  constructor(options: ClientOptions) {
    const config = configOf(options);
    const environment = options.environment ?? browserEnvironment();
    const report = (cause: unknown): void => this.#report(cause);
    this.#contract = options.contract;
    this.#environment = environment;
    this.#lifecycle = options.lifecycle ?? browserLifecycle();
    this.#token = new TokenKeeper(options.token);
    this.#refreshBackoff = new Backoff(environment);
    this.#session = new Session(environment, options.storage, (cause) => this.#error(new TuttiError("INTERNAL", { message: "the storage failed", cause })));
    this.#connection = new Connection(
      {
        options,
        config,
        environment,
        transport: options.transport ?? webSocketTransport(),
        session: this.#session,
        token: this.#token,
        ready: () => this.#ready,
        report,
        debug: options.debug ?? browserDebug(),
      },
      {
        up: (welcome) => this.#up(welcome),
        down: (error, isFinal) => this.#down(error, isFinal),
        frame: (frame) => this.#frame(frame),
        refresh: () => this.#refresh(),
        changed: (info) => this.#changed(info),
      },
    );
    this.#requests = new Requests(this.#connection, environment, config.ackTimeoutMs, () =>
      this.#connection.lose(new TuttiError("CONNECTION_LOST", { message: "a request was not answered" })),
    );
    this.#queues = new OutboundQueues({
      environment,
      requests: this.#requests,
      session: this.#session,
      config,
      settled: (channel, entry, settled) => this.#settled(channel, entry, settled),
      changed: (channel) => this.#channels.find(channel)?.pending.changed(),
      report,
    });
    this.#calls = new Calls(this.#requests, environment, config, (call, reply) => this.#result(call, reply));
    this.#channels = new Channels((name) => new ClientChannel(name, this.#definitionOf(name), host));
    const host = {
      environment,
      config,
      requests: this.#requests,
      session: this.#session,
      queues: this.#queues,
      calls: this.#calls,
      report,
      error: (error: TuttiError, channel: string) => this.#error(error, channel),
      heard: (envelope: Envelope) => this.#any.emit(envelope),
      messageBytesMax: () => this.#connection.messageBytesMax,
      closed: () => this.#closedBy(),
      hold: (channel: ClientChannel) => this.#hold(channel),
      release: (channel: ClientChannel) => this.#channels.release(channel),
      ready: () => this.#ready,
    };
    this.#activity = new ActivityWatch(environment, config.idleAfterMs, (activity) => this.#connection.setActivity(activity));
    this.#restore();
  }

  get connection(): ReadonlyStore<ConnectionInfo> {
    return this.#connection.info;
  }

  get pending(): ReadonlyStore<PendingTotals> {
    return this.#queues.totals;
  }

  connect(): void {
    this.#watching ??= this.#lifecycle.watch(this.#lifecycleEvents());
    this.#connection.dispatch({ type: "connect" });
  }

  close(): Promise<void> {
    this.#watching?.();
    this.#watching = undefined;
    this.#activity.stop();
    this.#calls.close(new TuttiError("CLIENT_CLOSED"));
    this.#connection.dispatch({ type: "close" });
    return Promise.resolve();
  }

  setActivity(activity: Activity): void {
    this.#connection.setActivity(activity);
  }

  on(name: keyof ClientEvents, listener: (value: never) => void): Cancel {
    return name === "error" ? this.#errors.add(listener as (error: TuttiError) => void) : this.#emitter.on(name, listener);
  }

  onAny(listener: (envelope: Envelope) => void): Cancel {
    return this.#any.add(listener);
  }

  call(type: string, input: unknown, options?: CallOptions): Promise<unknown> {
    const calls = this.#contract && (this.#contract.definition.calls ?? {});
    return this.#calls.call({ channel: undefined, type, input, schemas: callSchemas(calls, type) }, options);
  }

  channel(pattern: string, params: Readonly<Record<string, string>> = {}): ClientChannel {
    return this.#channels.of(channelName(pattern, params));
  }

  #definitionOf(name: string) {
    return this.#contract && (this.#contract.match(name)?.definition ?? {});
  }

  #hold(channel: ClientChannel): void {
    this.#channels.hold(channel);
    const { phase } = this.#connection;
    // What was ended by a code that is not retried does not come back because somebody looks at a channel.
    if (phase.kind === "disconnected" && phase.reason === undefined) this.connect();
  }

  #closedBy(): TuttiError | undefined {
    const { phase } = this.#connection;
    return phase.kind === "closed" ? phase.reason : undefined;
  }

  #restore(): void {
    const restore = (publishes: readonly StoredPublish[]): void =>
      this.#queues.restore(publishes, (publish) => measure(publish.channel, publish, Number.POSITIVE_INFINITY).bytes);
    const loaded = this.#session.load();
    if (!(loaded instanceof Promise)) return restore(loaded);
    this.#ready = loaded.then(restore).finally(() => {
      this.#ready = undefined;
    });
    this.#ready.catch((cause: unknown) => this.#report(cause));
  }

  #up(welcome: ServerFrameOf<"welcome">): void {
    const isFirst = this.#session.publicId === undefined;
    if (this.#session.identify(welcome.session)) {
      this.#queues.renew(isFirst);
      for (const channel of this.#channels.all) channel.renamed();
    }
    this.#refreshBackoff.reset();
    for (const channel of this.#channels.held) channel.lineUp();
    this.#queues.lineUp();
  }

  #down(error: TuttiError | undefined, isFinal: boolean): void {
    this.#requests.drop();
    for (const channel of this.#channels.held) channel.lineDown();
    if (!isFinal || error === undefined) return;
    for (const channel of this.#channels.held) channel.abandon(error);
    if (error.code === "CLIENT_CLOSED") this.#queues.close(error);
    else this.#error(error);
  }

  #frame(frame: ServerFrame): void {
    switch (frame.op) {
      case "reply":
        return this.#requests.answer(frame);
      case "events":
      case "gap":
      case "signals":
      case "presence":
        return this.#channels.find(frame.channel)?.frame(frame);
      case "joined":
        return this.#joined(frame);
      case "left":
        return this.#channels.find(frame.channel)?.left(TuttiError.fromWire(frame.error));
      case "error":
        return this.#error(TuttiError.fromWire(frame.error), frame.channel);
      case "welcome":
      case "pong":
        return;
      default:
        return frame satisfies never;
    }
  }

  #joined({ channel: name, start }: ServerFrameOf<"joined">): void {
    const channel = this.#channels.of(name);
    this.#channels.hold(channel);
    channel.joined(start);
    this.#emitter.emit("joined", name);
  }

  /** Brings a new token before the old one expires. */
  #refresh(): void {
    const retry = (): void => this.#connection.dispatch({ type: "refresh-in", delayMs: this.#refreshBackoff.nextMs() });
    const answered = (reply: Reply): void => {
      if (reply.kind === "error") return this.#error(reply.error);
      const { tokenExpiresMs } = Object(reply.kind === "success" ? reply.data : undefined) as { tokenExpiresMs?: unknown };
      if (typeof tokenExpiresMs === "number") this.#connection.dispatch({ type: "refresh-in", delayMs: refreshDelayMs(tokenExpiresMs) });
    };
    this.#token.forget();
    this.#token.fetch(
      () => {
        const { token } = this.#token;
        if (token !== undefined && this.#requests.isUp) this.#requests.ask({ op: "refresh", token }, answered);
      },
      (error) => {
        this.#error(error);
        retry();
      },
    );
  }

  #changed(info: ConnectionInfo): void {
    if (info.status === this.#status) return;
    this.#status = info.status;
    this.#emitter.emit("status", info);
  }

  #settled(channel: string, entry: Entry, settled: Settled): void {
    this.#channels.find(channel)?.settled(entry, settled);
    const { type, payload } = entry;
    if (settled.kind === "acked") this.#any.emit({ type: `${type}:result`, payload: settled.result, timestamp: this.#environment.now(), channel, ...settled.result });
    if (settled.kind !== "refused") return;
    const { error } = settled;
    this.#emitter.emit("rollback", { channel, type, payload, error });
    this.#any.emit({ type: `error:${resourceOf(type)}`, payload, timestamp: this.#environment.now(), channel, error });
  }

  #result({ type, channel }: Call, reply: Exclude<Reply, { kind: "lost" }>): void {
    const about = { timestamp: this.#environment.now(), correlationId: reply.correlationId, ...(channel !== undefined && { channel }) };
    if (reply.kind === "success") this.#any.emit({ type: `${type}:result`, payload: reply.data, ...about });
    else this.#any.emit({ type: `error:${resourceOf(type)}`, payload: undefined, error: reply.error, ...about });
  }

  #error(error: TuttiError, channel?: string): void {
    this.#errors.emit(error);
    const resource = channel === undefined ? "connection" : namespaceOf(channel);
    this.#any.emit({ type: `error:${resource}`, payload: undefined, timestamp: this.#environment.now(), error, ...(channel !== undefined && { channel }) });
  }

  #report(cause: unknown): void {
    this.#error(listenerError(cause));
  }

  #lifecycleEvents(): LifecycleEvents {
    const { dispatch } = { dispatch: this.#connection.dispatch.bind(this.#connection) };
    return {
      online: () => {
        dispatch({ type: "world", world: { network: "online" } });
        dispatch({ type: "woke" });
      },
      offline: () => dispatch({ type: "world", world: { network: "offline" } }),
      visible: () => {
        this.#activity.seen();
        dispatch({ type: "woke" });
      },
      hidden: () => {},
      frozen: () => dispatch({ type: "world", world: { page: "frozen" } }),
      resumed: () => {
        dispatch({ type: "world", world: { page: "running" } });
        dispatch({ type: "woke" });
      },
      pageHide: () => dispatch({ type: "page-hidden" }),
      pageShow: () => {
        dispatch({ type: "world", world: { page: "running" } });
        dispatch({ type: "woke" });
      },
      used: () => this.#activity.seen(),
    };
  }
}

function listenerError(cause: unknown): TuttiError {
  return new TuttiError("INTERNAL", { message: "a listener threw", cause });
}

/** The first part of a type's name: what it is about. */
function resourceOf(type: string): string {
  return type.split(":", 1)[0] ?? type;
}

/**
 * A client for a server of Tutti. It does nothing before `connect` or the first `subscribe`.
 *
 * @throws TypeError where the platform has no `WebSocket` and no transport is given
 * @example
 * const client = createClient({ url: "/v1/connect", contract });
 * const canvas = client.channel("canvas:{id}", { id: "42" });
 * canvas.on("concept:create", (event) => draw(event.payload));
 * await canvas.subscribe();
 * await canvas.publish("concept:create", { id: "c1", name: "Idea" });
 */
export function createClient<const C extends Contract = UntypedContract>(options: ClientOptions<C>): Client<C> {
  // The contract says what the values are; its schemas make sure.
  return new TuttiClient(options) as unknown as Client<C>;
}
