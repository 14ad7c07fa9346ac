import { channelName, namespaceOf, TuttiError, type Cancel, type Contract, type Environment, type ServerFrame } from "@tutti/protocol";
import { activityWatch } from "./activity.js";
import { browserDebug, browserEnvironment, browserLifecycle } from "./browser-environment.js";
import { call, type CallOptions } from "./calls.js";
import { ClientChannel, schemaOf, type ChannelHost } from "./channel.js";
import type { UntypedContract } from "./channel-types.js";
import type { Client, ClientEvents, Rollback } from "./client-types.js";
import { Connection, type Activity, type ConnectionInfo } from "./connection.js";
import type { Phase, World } from "./connection-machine.js";
import { attempt } from "./deferred.js";
import { Emitter } from "./emitter.js";
import type { Envelope } from "./envelope.js";
import type { Lifecycle, LifecycleEvents } from "./lifecycle.js";
import { configOf, type ClientConfig, type ClientOptions } from "./options.js";
import { Requests, type OutgoingFrame } from "./requests.js";
import { identify, makeSession, type Session } from "./session.js";
import { makeStore, type ReadonlyStore } from "./store.js";
import { webSocketTransport } from "./transports/websocket.js";

/** All parts of a client, put together; `Client` is what of it an application may use. */
class TuttiClient implements ChannelHost {
  readonly environment: Environment;
  readonly config: ClientConfig;
  readonly session: Session;
  readonly requests: Requests;
  readonly pending;
  readonly #contract: Contract | undefined;
  readonly #lifecycle: Lifecycle;
  readonly #connection: Connection;
  readonly #activity: ReturnType<typeof activityWatch>;
  readonly #emitter = new Emitter((cause) => this.report(cause));
  // What a listener for errors throws has nowhere else to go.
  readonly #errors = new Emitter(() => {});
  /** Kept, because they are subscribed or have something to send. */
  readonly #busy = new Set<ClientChannel>();
  /** One object for a name, as long as anybody can tell; who visits many channels does not fill the memory. */
  readonly #channels = new Map<string, WeakRef<ClientChannel>>();
  readonly #forgotten = new FinalizationRegistry<string>((name) => {
    if (this.#find(name) === undefined) this.#channels.delete(name);
  });
  #count = 0;
  #bytes = 0;
  #watching: Cancel | undefined;

  constructor(options: ClientOptions) {
    const { contract, lifecycle = browserLifecycle(), environment = browserEnvironment(), transport = webSocketTransport(), debug = browserDebug(), storage } = options;
    this.environment = environment;
    this.config = configOf(options);
    this.#contract = contract;
    this.#lifecycle = lifecycle;
    this.session = makeSession(environment, storage, (cause) => this.report(cause));
    this.#connection = new Connection(this, options, transport, debug, {
      up: (session, user) => this.#up(session, user),
      down: (phase) => this.#down(phase),
      frame: (frame) => this.#frame(frame),
      status: (info) => this.#emitter.emit("status", info),
    });
    this.requests = new Requests(this.#connection, environment, this.config.ackTimeoutMs, () => this.#connection.lose(new TuttiError("CONNECTION_LOST", { message: "no answer" })));
    this.pending = makeStore(this.report, () => ({ count: this.#count, bytes: this.#bytes }));
    this.#activity = activityWatch(environment, this.config.idleAfterMs, (activity) => this.setActivity(activity));
    for (const publish of this.session.left) this.#channel(publish.channel).restore(publish);
  }

  get connection(): ReadonlyStore<ConnectionInfo> {
    return this.#connection.info;
  }

  get messageBytesMax(): number {
    return this.#connection.messageBytesMax;
  }

  connect(): void {
    this.#watching ??= this.#lifecycle.watch(this.#lifecycleEvents());
    this.#connection.dispatch({ type: "connect" });
  }

  close(): Promise<void> {
    this.#watching?.();
    this.#watching = undefined;
    this.#activity.stop();
    this.#connection.dispatch({ type: "close" });
    return Promise.resolve();
  }

  setActivity(activity: Activity): void {
    this.#connection.setActivity(activity);
  }

  on(name: keyof ClientEvents, listener: (value: never) => void): Cancel {
    return (name === "error" ? this.#errors : this.#emitter).on(name, listener);
  }

  onAny(listener: (envelope: Envelope) => void): Cancel {
    return this.#emitter.on("any", listener);
  }

  call(type: string, input: unknown, options?: CallOptions): Promise<unknown> {
    return attempt(() => call(this, { type, input, schemas: schemaOf(this.#contract && (this.#contract.definition.calls ?? {}), type) }, options));
  }

  channel(pattern: string, params: Readonly<Record<string, string>> = {}): ClientChannel {
    return this.#channel(channelName(pattern, params));
  }

  /* What the parts ask of the client. */

  send(frame: OutgoingFrame): void {
    if (this.#connection.isUp) this.#connection.send(frame);
  }

  readonly report = (cause: unknown): void => {
    this.#errors.emit("error", new TuttiError("INTERNAL", { message: "a listener threw", cause }));
  };

  error(error: TuttiError, channel?: string): void {
    this.#errors.emit("error", error);
    this.tell(`error:${channel === undefined ? "connection" : namespaceOf(channel)}`, { error, channel });
  }

  tell(type: string, about: Partial<Envelope>): void {
    this.#emitter.emit("any", { payload: undefined, timestamp: this.environment.now(), ...about, type });
  }

  result(type: string, about: Partial<Envelope>): void {
    this.tell(about.error === undefined ? `${type}:result` : `error:${type.replace(/:.*/, "")}`, about);
  }

  rollback(rollback: Rollback): void {
    this.#emitter.emit("rollback", rollback);
  }

  assertOpen(): void {
    const { phase } = this.#connection;
    if (phase.kind === "closed") throw phase.reason;
  }

  weigh(count: number, bytes: number): void {
    const { queueCountMax, queueBytesMax } = this.config;
    if (count > 0 && (this.#count >= queueCountMax || this.#bytes + bytes > queueBytesMax)) throw new TuttiError("QUEUE_FULL");
    this.#count += count;
    this.#bytes += bytes;
  }

  changed(channel: ClientChannel): void {
    if (channel.isBusy) this.#busy.add(channel);
    else this.#busy.delete(channel);
    this.pending.changed();
  }

  /** What was ended by a code that is not retried does not come back because somebody looks at a channel. */
  wake(): void {
    const { phase } = this.#connection;
    if (phase.kind === "disconnected" && phase.reason === undefined) this.connect();
  }

  #find(name: string): ClientChannel | undefined {
    return this.#channels.get(name)?.deref();
  }

  #channel(name: string): ClientChannel {
    const known = this.#find(name);
    if (known !== undefined) return known;
    const channel = new ClientChannel(name, this.#contract && (this.#contract.match(name)?.definition ?? {}), this);
    this.#channels.set(name, new WeakRef(channel));
    this.#forgotten.register(channel, name);
    return channel;
  }

  #up(publicId: string, user: string | undefined): void {
    this.session.user = user;
    if (identify(this.session, publicId)) for (const channel of this.#busy) channel.renamed();
    for (const channel of this.#busy) channel.subscription.lineUp();
    for (const channel of this.#busy) channel.queue.lineUp();
  }

  #down(phase: Phase): void {
    const error = phase.kind === "closed" || phase.kind === "disconnected" ? phase.reason : undefined;
    this.requests.drop(phase.kind === "closed" ? phase.reason : new TuttiError("OUTCOME_UNKNOWN"));
    for (const channel of this.#busy) {
      channel.subscription.lineDown();
      if (error !== undefined) channel.abandon(error);
      if (phase.kind === "closed") channel.queue.close(phase.reason);
    }
    if (phase.kind === "disconnected" && error !== undefined) this.error(error);
  }

  #frame(frame: ServerFrame): void {
    switch (frame.op) {
      case "reply":
        return this.requests.answer(frame);
      case "events":
      case "gap":
      case "signals":
      case "presence":
        return this.#find(frame.channel)?.frame(frame);
      case "joined": {
        const channel = this.#channel(frame.channel);
        channel.subscription.joined(frame.start);
        this.changed(channel);
        return this.#emitter.emit("joined", frame.channel);
      }
      case "left":
        return void this.#find(frame.channel)?.subscription.end("left", TuttiError.fromWire(frame.error));
      case "error":
        return this.error(TuttiError.fromWire(frame.error), frame.channel);
      case "welcome":
      case "pong":
        return;
      default:
        return frame satisfies never;
    }
  }

  #lifecycleEvents(): LifecycleEvents {
    const become = (world: World) => (): void => this.#connection.dispatch({ type: "world", world });
    const used = (): void => this.#activity.seen();
    return {
      online: become("free"),
      offline: become("offline"),
      visible: () => {
        used();
        this.#connection.dispatch({ type: "woke" });
      },
      hidden: () => {},
      frozen: become("frozen"),
      resumed: become("free"),
      pageHide: become("hidden"),
      pageShow: become("free"),
      used,
    };
  }
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
