import { setTimeout as pause } from "node:timers/promises";
import { defineContract, TuttiError, type ErrorCode } from "@tutti/protocol";
import { memoryStorage, storedSessions, type HeldSession } from "@tutti/client";
import { lmdbBroker } from "@tutti/lmdb";
import { memoryBroker, type User } from "@tutti/server";
import { handshake } from "../handshake.js";
import { connected, hello, reason, rejection, surfaced, told, type Stage } from "../stage.js";

/** Brings the product to use a code. @returns the code that somebody was told */
type Scenario = (stage: Stage) => Promise<string>;

const one = { id: "one" };
const publish = { op: "publish", correlationId: "1", channel: "room:one", n: 1, settled: 0, type: "line:add", payload: { id: "a" }, timestamp: 0 };

/** A server that does nothing special, and a raw client of it that sends this after its hello. */
const answerTo =
  (message: string | object): Scenario =>
  async (stage) => {
    const { url } = await stage.serve();
    const client = await stage.greeted(url);
    client.send(message);
    return told(client);
  };

/** The same before a hello. */
const firstAnswerTo =
  (message: string | object): Scenario =>
  async (stage) => {
    const { url } = await stage.serve();
    const client = await stage.raw(url);
    client.send(message);
    return told(client);
  };

/** What a client is told whose token the application looks at. */
const admission =
  (authenticate: () => User): Scenario =>
  async (stage) => {
    const { url } = await stage.serve({ authenticate });
    const client = stage.guests.client(url, { token: "ada" });
    client.connect();
    return reason(client);
  };

const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);

/** Every code of the registry, and how the running product comes to use it. */
export const scenarios: Readonly<Record<ErrorCode, Scenario>> = {
  async CONNECTION_LOST(stage) {
    const proxy = await stage.proxy((await stage.serve()).port);
    const client = stage.guests.client(proxy.url);
    await connected(client);
    const lost = reason(client);
    proxy.reset();
    return lost;
  },
  async CONNECT_TIMEOUT(stage) {
    const proxy = await stage.proxy((await stage.serve()).port);
    proxy.halfOpen();
    const client = stage.guests.client(proxy.url, { connectTimeoutMs: 30 });
    client.connect();
    return reason(client);
  },
  async HEARTBEAT_TIMEOUT(stage) {
    const proxy = await stage.proxy((await stage.serve()).port);
    const client = stage.guests.client(proxy.url, { heartbeatIntervalMs: 20, heartbeatTimeoutMs: 50 });
    await connected(client);
    const lost = reason(client);
    proxy.halfOpen();
    return lost;
  },
  async SLOW_CONSUMER(stage) {
    const { server, port } = await stage.serve({ outboxBytesMax: 64 * 1024 });
    const proxy = await stage.proxy(port);
    const client = stage.guests.client(proxy.url);
    await client.channel("feed:{id}", one).subscribe();
    const lost = reason(client);
    proxy.pause();
    const text = "x".repeat(60_000);
    // The kernel's buffers come first.
    while (server.stats().connections > 0) {
      await server.channel("feed:{id}", one).publish("item:add", { text });
      await new Promise(setImmediate);
    }
    proxy.resume();
    return lost;
  },
  async SERVER_DRAINING(stage) {
    const { server, url } = await stage.serve();
    const client = stage.guests.client(url);
    await connected(client);
    const lost = reason(client);
    await server.drain({ withinMs: 10 });
    return lost;
  },
  async SESSION_REPLACED(stage) {
    const { url } = await stage.serve();
    const storage = memoryStorage();
    const first = stage.guests.client(url, { storage });
    await connected(first);
    const lost = reason(first);
    // The page is a copy: it takes what the first one still has.
    storage.abandon();
    await connected(stage.guests.client(url, { storage }));
    return lost;
  },
  async SESSION_MOVED(stage) {
    const broker = memoryBroker();
    const [first, second] = [await stage.serve({ broker }), await stage.serve({ broker })];
    const late = await stage.raw(first.url);
    // Of two that come in the same millisecond, to nodes that have not heard of each other, nobody knows which is the later one.
    await pause(2);
    const living = await stage.raw(second.url);
    const greeting = hello();
    living.send(greeting);
    await living.next(({ op }) => op === "welcome");
    late.send(greeting);
    return (await late.closed()).reason;
  },
  async RETRIES_EXHAUSTED(stage) {
    const proxy = await stage.proxy((await stage.serve()).port);
    const client = stage.guests.client(proxy.url, { reconnectAttemptsMax: 0 });
    await connected(client);
    proxy.refuse();
    const lost = reason(client);
    proxy.reset();
    return lost;
  },
  async CLIENT_CLOSED(stage) {
    const { url } = await stage.serve();
    const client = stage.guests.client(url);
    const subscribed = client.channel("room:{id}", one).subscribe();
    void client.close();
    return rejection(subscribed);
  },
  async NOT_CONNECTED(stage) {
    const { url } = await stage.serve();
    return rejection(stage.guests.client(url).call("text:echo", "too early"));
  },

  MESSAGE_MALFORMED: answerTo('{"op":'),
  MESSAGE_TOO_LARGE: answerTo({ ...publish, payload: "x".repeat(70_000) }),
  MESSAGE_TOO_DEEP: answerTo({ ...publish, payload: nested(40) }),
  FRAME_INVALID: answerTo({ ...publish, n: "one" }),
  FRAME_UNKNOWN: answerTo({ op: "dance", correlationId: "1" }),
  HELLO_REQUIRED: firstAnswerTo({ op: "ping" }),
  async HELLO_TIMEOUT(stage) {
    const { url } = await stage.serve({ helloTimeoutMs: 20 });
    return told(await stage.raw(url));
  },
  VERSION_UNSUPPORTED: firstAnswerTo({ ...hello(), versions: [99] }),

  AUTHENTICATION_REQUIRED: admission(() => {
    throw new TuttiError("AUTHENTICATION_REQUIRED");
  }),
  TOKEN_INVALID: admission(() => ({ id: "" })),
  TOKEN_EXPIRED: admission(() => ({ id: "ada", expiresAt: Date.now() })),
  async USER_CHANGED(stage) {
    const { url } = await stage.serve({ authenticate: ({ token = "" }) => ({ id: token }) });
    const client = await stage.greeted(url);
    client.send({ op: "refresh", correlationId: "1", token: "bob" });
    return told(client);
  },

  async FORBIDDEN(stage) {
    const { url } = await stage.serve({ channels: { "room:{id}": { authorize: () => false } } });
    return rejection(stage.guests.client(url).channel("room:{id}", one).subscribe());
  },
  async ORIGIN_FORBIDDEN(stage) {
    const { port } = await stage.serve();
    return (await handshake(port, { origin: "https://evil.example" })).body;
  },
  async SUBSCRIPTION_REVOKED(stage) {
    const { server, url } = await stage.serve({ authenticate: () => ({ id: "ada" }) });
    const client = stage.guests.client(url);
    await client.channel("room:{id}", one).subscribe();
    const error = surfaced(client);
    void server.channel("room:{id}", one).revoke({ user: "ada" });
    return error;
  },
  async KICKED(stage) {
    const { server, url } = await stage.serve({ authenticate: () => ({ id: "ada" }) });
    const client = stage.guests.client(url);
    await connected(client);
    const lost = reason(client);
    void server.disconnect({ user: "ada" }, "house rules");
    return lost;
  },

  PAYLOAD_INVALID: answerTo({ ...publish, payload: { id: 1 } }),
  TYPE_UNKNOWN: answerTo({ ...publish, type: "line:dance" }),
  CHANNEL_INVALID: answerTo({ op: "subscribe", correlationId: "1", channel: "room" }),
  REWIND_UNSUPPORTED: answerTo({ op: "subscribe", correlationId: "1", channel: "room:one", rewind: { count: 1 } }),
  CONTRACT_INVALID: () => rejection((async () => defineContract({ channels: { "{id}:room": {} } }))()),

  async RATE_LIMITED(stage) {
    const publishes = { "line:add": () => Promise.reject(new TuttiError("RATE_LIMITED", { retryAfterMs: 1_000 })) };
    const { url } = await stage.serve({ channels: { "room:{id}": { publish: publishes } } });
    const client = await stage.greeted(url);
    client.send(publish);
    return told(client);
  },
  async LIMIT_EXCEEDED(stage) {
    const { url } = await stage.serve({ subscriptionsMax: 1 });
    const client = stage.guests.client(url);
    await client.channel("room:{id}", one).subscribe();
    return rejection(client.channel("room:{id}", { id: "two" }).subscribe());
  },

  async ROOM_NOT_FOUND(stage) {
    const { url } = await stage.serve({ channels: { "room:{id}": { exists: () => false } } });
    return rejection(stage.guests.client(url).channel("room:{id}", one).subscribe());
  },
  NOT_SUBSCRIBED: answerTo({ op: "unsubscribe", correlationId: "1", channel: "room:one" }),

  OUT_OF_ORDER: answerTo({ ...publish, n: 7 }),
  async OUTCOME_UNKNOWN(stage) {
    let called = (): void => {};
    const isCalled = new Promise<void>((resolve) => (called = resolve));
    const echo = (): Promise<string> => {
      called();
      return new Promise(() => {});
    };
    const proxy = await stage.proxy((await stage.serve({ calls: { "text:echo": echo } })).port);
    const client = stage.guests.client(proxy.url);
    await connected(client);
    const outcome = rejection(client.call("text:echo", "hello"));
    await isCalled;
    proxy.reset();
    return outcome;
  },
  async CONDITION_FAILED(stage) {
    const { server } = await stage.serve();
    const feed = server.channel("feed:{id}", one);
    const { position } = await feed.publish("item:add", { text: "first" });
    await feed.publish("item:add", { text: "second" });
    return rejection(feed.publish("item:add", { text: "third" }, { expected: position }));
  },
  async QUEUE_FULL(stage) {
    const { url } = await stage.serve();
    const room = stage.guests.client(url, { queueCountMax: 1 }).channel("room:{id}", one);
    room.publish("line:add", { id: "waits" }).catch(() => {});
    return rejection(room.publish("line:add", { id: "too many" }));
  },
  async QUEUE_EXPIRED(stage) {
    const { url } = await stage.serve();
    const client = stage.guests.client(url, { queueAgeMsMax: 1 });
    const expired = rejection(client.channel("room:{id}", one).publish("line:add", { id: "waits" }));
    for (const since = Date.now(); Date.now() - since <= 1; ) await new Promise(setImmediate);
    await connected(client);
    return expired;
  },
  async STORAGE_FAILED(stage) {
    const { url } = await stage.serve();
    const full: HeldSession = { stored: undefined, write: () => Promise.reject(new Error("no space left on device")), release: async () => {} };
    const client = stage.guests.client(url, { storage: storedSessions({ hold: async () => full }) });
    return rejection(client.channel("room:{id}", one).publish("line:add", { id: "a" }));
  },
  async TIMEOUT(stage) {
    const { url } = await stage.serve({ calls: { "text:echo": () => new Promise<string>(() => {}) } });
    const client = stage.guests.client(url, { callTimeoutMs: 20 });
    await connected(client);
    return rejection(client.call("text:echo", "hello"));
  },

  UNAVAILABLE: admission(() => {
    throw new Error("the database is gone");
  }),
  async STORAGE_IN_USE(stage) {
    const directory = await stage.directory();
    await stage.serve({ broker: await lmdbBroker({ directory }) });
    return rejection(lmdbBroker({ directory }));
  },
  async INTERNAL(stage) {
    const crash = (): string => {
      throw new TypeError("cannot read properties of undefined");
    };
    const { url } = await stage.serve({ calls: { "text:echo": crash } });
    const client = stage.guests.client(url);
    await connected(client);
    return rejection(client.call("text:echo", "hello"));
  },
};
