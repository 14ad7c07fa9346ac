import { channelName, namespaceOf, TuttiError, type Cancel, type Contract, type ServerFrame } from "@tutti/protocol";
import { activityWatch } from "./activity.js";
import { browserDebug, browserEnvironment, browserLifecycle } from "./browser-environment.js";
import { call, type CallOptions } from "./calls.js";
import { checksOf, ClientChannel, type ChannelHost } from "./channel.js";
import type { UntypedContract } from "./channel-types.js";
import type { Client, ClientEvents } from "./client-types.js";
import { Connection, type Activity, type ConnectionInfo } from "./connection.js";
import type { Core } from "./core.js";
import type { Phase } from "./connection-machine.js";
import { attempt } from "./deferred.js";
import { Emitter, Listeners } from "./emitter.js";
import type { Envelope } from "./envelope.js";
import type { Lifecycle, LifecycleEvents } from "./lifecycle.js";
import { configOf, type ClientOptions } from "./options.js";
import type { PendingTotals } from "./outbound-queue.js";
import { Requests } from "./requests.js";
import { Session } from "./session.js";
import { makeStore, type ReadonlyStore } from "./store.js";
import { webSocketTransport } from "./transports/websocket.js";

/** Puts the parts of a client together; `Client` is its typed face. */
class TuttiClient {
  readonly #contract: Contract | undefined;
  readonly #lifecycle: Lifecycle;
  readonly #connection: Connection;
  readonly #host: ChannelHost;
  readonly #activity: ReturnType<typeof activityWatch>;
  readonly #emitter: Emitter;
  readonly #errors = new Listeners<TuttiError>(() => {});
  readonly #any: Listeners<Envelope>;
  /** Kept, because they are subscribed or have something to send. */
  readonly #busy = new Set<ClientChannel>();
  /** One object for a name, as long as anybody can tell; who visits many channels does not fill the memory. */
  readonly #channels = new Map<string, WeakRef<ClientChannel>>();
  readonly #forget = new FinalizationRegistry<string>((name) => {
    if (this.#find(name) === undefined) this.#channels.delete(name);
  });
  #count = 0;
  #bytes = 0;
  #status: ConnectionInfo["status"] = "disconnected";
  #watching: Cancel | undefined;

  constructor(options: ClientOptions) {
    const config = configOf(options);
    const environment = options.environment ?? browserEnvironment();
    // What a listener for errors throws has nowhere else to go.
    const report = (cause: unknown): void => this.#errors.emit(new TuttiError("INTERNAL", { message: "a listener threw", cause }));
    this.#contract = options.contract;
    this.#lifecycle = options.lifecycle ?? browserLifecycle();
    this.#emitter = new Emitter(report);
    this.#any = new Listeners(report);
    const session = new Session(environment, options.storage, report);
    const core: Core = {
      environment,
      config,
      session,
      report,
      get requests() {
        return requests;
      },
      error: (error, channel) => this.#error(error, channel),
      tell: (type, payload, about) => this.#any.emit({ type, payload, timestamp: environment.now(), ...about }),
    };
    const connection = new Connection(core, options, options.transport ?? webSocketTransport(), options.debug ?? browserDebug(), {
      up: (welcome) => this.#up(welcome.session, welcome.user),
      down: (phase) => this.#down(phase),
      frame: (frame) => this.#frame(frame),
      changed: (info) => this.#changed(info),
    });
    const requests = new Requests(connection, environment, config.ackTimeoutMs, () => connection.lose(new TuttiError("CONNECTION_LOST", { message: "no answer" })));
    this.#connection = connection;
    this.#host = {
      ...core,
      requests,
      totals: makeStore(report, () => ({ count: this.#count, bytes: this.#bytes })),
      weigh: (count, bytes) => {
        this.#count += count;
        this.#bytes += bytes;
      },
      assertOpen: () => this.#assertOpen(),
      assertRoom: (bytes) => {
        this.#assertOpen();
        if (this.#count >= config.queueCountMax || this.#bytes + bytes > config.queueBytesMax) throw new TuttiError("QUEUE_FULL");
      },
      messageBytesMax: () => connection.messageBytesMax,
      keep: (channel) => void (channel.isBusy ? this.#busy.add(channel) : this.#busy.delete(channel)),
      wake: () => this.#wake(),
      rollback: (rollback) => this.#emitter.emit("rollback", rollback),
    };
    this.#activity = activityWatch(environment, config.idleAfterMs, (activity) => connection.setActivity(activity));
    for (const publish of session.left) this.#channel(publish.channel).restore(publish);
  }

  get connection(): ReadonlyStore<ConnectionInfo> {
    return this.#connection.info;
  }

  get pending(): ReadonlyStore<PendingTotals> {
    return this.#host.totals;
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
    return name === "error" ? this.#errors.add(listener as (error: TuttiError) => void) : this.#emitter.on(name, listener);
  }

  onAny(listener: (envelope: Envelope) => void): Cancel {
    return this.#any.add(listener);
  }

  call(type: string, input: unknown, options?: CallOptions): Promise<unknown> {
    return attempt(() => call(this.#host, undefined, type, input, checksOf(this.#contract?.definition, type), options));
  }

  channel(pattern: string, params: Readonly<Record<string, string>> = {}): ClientChannel {
    return this.#channel(channelName(pattern, params));
  }

  #find(name: string): ClientChannel | undefined {
    return this.#channels.get(name)?.deref();
  }

  #channel(name: string): ClientChannel {
    const known = this.#find(name);
    if (known !== undefined) return known;
    const channel = new ClientChannel(name, this.#contract && (this.#contract.match(name)?.definition ?? {}), this.#host);
    this.#channels.set(name, new WeakRef(channel));
    this.#forget.register(channel, name);
    return channel;
  }

  #assertOpen(): void {
    const { phase } = this.#connection;
    if (phase.kind === "closed") throw phase.reason;
  }

  /** What was ended by a code that is not retried does not come back because somebody looks at a channel. */
  #wake(): void {
    const { phase } = this.#connection;
    if (phase.kind === "disconnected" && phase.reason === undefined) this.connect();
  }

  #up(publicId: string, user: string | undefined): void {
    const { session } = this.#host;
    session.user = user;
    if (session.identify(publicId)) for (const channel of this.#busy) channel.renamed();
    for (const channel of this.#busy) channel.subscription.lineUp();
    for (const channel of this.#busy) channel.queue.lineUp();
  }

  #down(phase: Phase): void {
    const { requests } = this.#host;
    requests.drop(phase.kind === "closed" ? phase.reason : new TuttiError("OUTCOME_UNKNOWN"));
    for (const channel of this.#busy) channel.subscription.lineDown();
    if ((phase.kind !== "closed" && phase.kind !== "disconnected") || phase.reason === undefined) return;
    for (const channel of this.#busy) {
      channel.abandon(phase.reason);
      if (phase.kind === "closed") channel.queue.close(phase.reason);
    }
    if (phase.kind === "disconnected") this.#error(phase.reason);
  }

  #frame(frame: ServerFrame): void {
    switch (frame.op) {
      case "reply":
        return this.#host.requests.answer(frame);
      case "events":
      case "gap":
      case "signals":
      case "presence":
        return this.#find(frame.channel)?.frame(frame);
      case "joined": {
        const channel = this.#channel(frame.channel);
        channel.subscription.joined(frame.start);
        this.#host.keep(channel);
        return this.#emitter.emit("joined", frame.channel);
      }
      case "left":
        return this.#find(frame.channel)?.subscription.left(TuttiError.fromWire(frame.error));
      case "error":
        return this.#error(TuttiError.fromWire(frame.error), frame.channel);
      case "welcome":
      case "pong":
        return;
      default:
        return frame satisfies never;
    }
  }

  #changed(info: ConnectionInfo): void {
    if (info.status === this.#status) return;
    this.#status = info.status;
    this.#emitter.emit("status", info);
  }

  #error(error: TuttiError, channel?: string): void {
    this.#errors.emit(error);
    this.#host.tell(`error:${channel === undefined ? "connection" : namespaceOf(channel)}`, undefined, { error, channel });
  }

  #lifecycleEvents(): LifecycleEvents {
    const become = (world: "free" | "offline" | "frozen" | "hidden") => (): void => this.#connection.dispatch({ type: "world", world });
    return {
      online: become("free"),
      offline: become("offline"),
      visible: () => {
        this.#activity.seen();
        this.#connection.dispatch({ type: "woke" });
      },
      hidden: () => {},
      frozen: become("frozen"),
      resumed: become("free"),
      pageHide: become("hidden"),
      pageShow: become("free"),
      used: () => this.#activity.seen(),
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
