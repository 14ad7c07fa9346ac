import { channelName, namespaceOf, TuttiError, type Cancel, type Contract, type ServerFrame } from "@tutti/protocol";
import { browserDebug, browserEnvironment, browserLifecycle } from "./browser-environment.js";
import { call, type CallOptions } from "./calls.js";
import { makeChannel, type ChannelHost, type ClientChannel } from "./channel.js";
import { makeChannels } from "./channels.js";
import type { UntypedContract } from "./channel-types.js";
import type { Client } from "./client-types.js";
import { makeConnection } from "./connection.js";
import type { Phase, World } from "./connection-machine.js";
import { makeEmitter } from "./emitter.js";
import type { LifecycleEvents } from "./lifecycle.js";
import { configOf, type ClientOptions } from "./options.js";
import { makeRequests } from "./requests.js";
import { identify, makeSession, renew } from "./session.js";
import { makeStore } from "./store.js";
import { webSocketTransport } from "./transports/websocket.js";

/** The parts of a client, put together. */
function compose(options: ClientOptions) {
  const { contract, lifecycle = browserLifecycle(), environment = browserEnvironment(), transport = webSocketTransport(), debug = browserDebug(), storage } = options;
  const config = configOf(options);
  // What a listener for errors throws has nowhere else to go.
  const errors = makeEmitter(() => {});
  const report = (cause: unknown): void => errors.emit("error", new TuttiError("INTERNAL", { message: "a listener threw", cause }));
  const emitter = makeEmitter(report);
  const tell: ChannelHost["tell"] = (type, about) => emitter.emit("any", { payload: undefined, timestamp: environment.now(), ...about, type });
  const error: ChannelHost["error"] = (failure, channel) => {
    errors.emit("error", failure);
    tell(`error:${channel === undefined ? "connection" : namespaceOf(channel)}`, { error: failure, channel });
  };
  const session = makeSession();
  const totals = { count: 0, bytes: 0 };
  let told = { ...totals };
  const pending = makeStore(report, () => ({ ...totals, oldestAt: oldestOf(channels.busy) }));
  const isUp = (): boolean => connection.isUp();
  const overdue = (): void => connection.lose();
  const requests = makeRequests(environment, (frame) => connection.send(frame), config.ackTimeoutMs, overdue);
  let watching: Cancel | undefined;
  let idle: Cancel | undefined;

  const host: ChannelHost = {
    contract,
    environment,
    config,
    session,
    requests,
    report,
    tell,
    error,
    isUp,
    send: (frame) => isUp() && connection.send(frame),
    rollback: (rollback) => emitter.emit("rollback", rollback),
    assertOpen() {
      const { kind, reason } = connection.phase();
      if (kind === "closed") throw reason;
    },
    isFull: (count, bytes) => totals.count + count > config.queueCountMax || totals.bytes + bytes > config.queueBytesMax,
    weigh(count, bytes) {
      totals.count += count;
      totals.bytes += bytes;
    },
    changed(channel) {
      channels.keep(channel, channel.isBusy());
      if (told.count === totals.count && told.bytes === totals.bytes) return;
      told = { ...totals };
      pending.changed();
    },
    wake() {
      const { kind, reason } = connection.phase();
      // What was ended by a code that is not retried does not come back because somebody looks at a channel.
      if (kind === "disconnected" && reason === undefined) connect();
    },
  };
  const channels = makeChannels((name) => makeChannel(name, contract && (contract.match(name)?.definition ?? {}), host));

  const up = (publicId: string, user: string | undefined): void => {
    const who = identify(session, publicId, user);
    // Before anybody publishes under the new name.
    session.home?.welcomed(who);
    if (who !== "same") for (const channel of channels.all()) channel.renamed(who === "other");
    for (const { subscription } of channels.busy) subscription.lineUp();
    for (const { queue } of channels.busy) queue.lineUp();
  };
  const down = ({ kind, reason }: Phase): void => {
    requests.drop((kind === "closed" && reason) || new TuttiError("OUTCOME_UNKNOWN"));
    for (const channel of channels.busy) {
      channel.subscription.lineDown();
      if (reason === undefined || (kind !== "closed" && kind !== "disconnected")) continue;
      channel.abandon(reason);
      if (kind === "closed") channel.queue.close(reason);
    }
    if (kind === "disconnected" && reason !== undefined) error(reason);
  };
  const frame = (received: ServerFrame): void => {
    if (received.op === "reply") requests.answer(received);
    else if (received.op === "error") error(TuttiError.fromWire(received.error), received.channel);
    else if (received.op === "joined") {
      channels.of(received.channel).frame(received);
      emitter.emit("joined", received.channel);
    }
    // What this client does not understand, from a newer server, it did not ask for.
    else if ("channel" in received) channels.find(received.channel)?.frame(received);
  };
  const connection = makeConnection(host, options, transport, debug, { up, down, frame, status: (info) => emitter.emit("status", info) });

  /** The person was there: idle some time after the last such sign, and without any sign never. */
  const used = (): void => {
    idle?.();
    idle = environment.after(config.idleAfterMs, () => connection.setActivity("idle"));
    connection.setActivity("active");
  };
  const become = (world: World) => (): void => connection.dispatch({ type: "world", world });
  const lifecycleEvents: LifecycleEvents = {
    online: become("free"),
    offline: become("offline"),
    visible() {
      used();
      connection.dispatch({ type: "woke" });
    },
    frozen: become("frozen"),
    resumed: become("free"),
    pageHide() {
      become("hidden")();
      void session.home?.release();
    },
    pageShow() {
      session.home?.open();
      become("free")();
    },
    used,
  };
  const connect = (): void => {
    watching ??= lifecycle.watch(lifecycleEvents);
    session.home?.open();
    connection.dispatch({ type: "connect" });
  };
  session.home = storage?.homeFor({ options, host, channels, pending });
  if (session.home === undefined) renew(session, environment);

  return {
    connection: connection.info,
    pending,
    transport,
    connect,
    async close(): Promise<void> {
      watching?.();
      watching = undefined;
      idle?.();
      connection.dispatch({ type: "close" });
      await session.home?.release();
    },
    setActivity: connection.setActivity,
    on: (name: string, listener: (value: never) => void) => (name === "error" ? errors : emitter).on(name, listener),
    onAny: (listener: (value: never) => void) => emitter.on("any", listener),
    call: (type: string, input: unknown, callOptions?: CallOptions) => call(host, { type, input, calls: contract?.definition.calls }, callOptions),
    channel: (pattern: string, params: Readonly<Record<string, string>> = {}): ClientChannel => channels.of(channelName(pattern, params)),
  };
}

/** When the oldest publish that waits was made. */
function oldestOf(channels: Iterable<ClientChannel>): number | undefined {
  const times = Array.from(channels).flatMap(({ queue }) => queue.entries().map(({ timestamp }) => timestamp));
  return times.toSorted((a, b) => a - b)[0];
}

/**
 * A client for a server of Tutti. It does not connect before `connect` or the first `subscribe`. With a `storage` its session, what waits to be
 * published and the last state of its channels outlive it; the storage is asked at once, and until it answers, publishes are shown and wait.
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
  return compose(options) as unknown as Client<C>;
}
