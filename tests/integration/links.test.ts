import type { ConnectionInfo, Fetch, Transport } from "@tutti/client";
import { longPollTransport } from "@tutti/client/long-poll";
import { pollTransport } from "@tutti/client/poll";
import { sseTransport } from "@tutti/client/sse";
import { streamTransport } from "@tutti/client/stream";
import { TuttiError } from "@tutti/protocol";
import { memoryBroker } from "@tutti/server";
import { boundBroker } from "@tutti/testkit";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { RoomClient } from "./sdk.js";
import { Stage, type Served } from "./stage.js";

const patience = { timeout: 10_000, interval: 5 };
const one = { id: "one" };
const many = 200;

/** What polls at intervals does so often enough for a test. */
const often = { intervals: { lookedAtMs: 100, unknownMs: 100, backgroundMs: 100 } };

type Make = (options?: { readonly fetch?: Fetch }) => Transport;

const TRANSPORTS: readonly (readonly [name: string, make: Make])[] = [
  ["sse", sseTransport],
  ["stream", streamTransport],
  ["long-poll", longPollTransport],
  ["poll", (options) => pollTransport({ ...often, ...options })],
];

let stage: Stage;

beforeEach(() => {
  stage = new Stage();
});

afterEach(() => stage.end());

const authenticate = ({ token }: { readonly token: string | undefined }) => (token === undefined ? undefined : { id: token });
const calls = { "text:echo": ({ payload }: { readonly payload: string }) => payload };

async function enter(url: string, transport: Transport, token = "ada") {
  const client = stage.guests.client(url, { transport, token });
  const room = client.channel("room:{id}", one);
  const lines: string[] = [];
  room.on("line:add", ({ payload }) => void lines.push(payload.id));
  await room.subscribe({ presence: true });
  return { client, room, lines };
}

const infoOf = (client: RoomClient): ConnectionInfo => client.connection.getSnapshot();

/** A client at several servers, of which each gets the next of its requests. */
function inTurn(make: Make, served: readonly Served[]): Transport {
  let turn = 0;
  const fetch: Fetch = (url, init) => {
    const { port } = served[turn++ % served.length]!;
    return globalThis.fetch(url.replace(/:\d+/, `:${port}`), init);
  };
  return make({ fetch });
}

describe.each(TRANSPORTS)("over %s", (name, make) => {
  it("LNK-18, LNK-1: publishes land once and in order, and reach everybody", async () => {
    const { server, url } = await stage.serve({ authenticate });
    const [ada, bob] = await Promise.all([enter(url, make()), enter(url, make(), "bob")]);
    expect(server.connections().map(({ transport, user, remoteAddress }) => `${transport} ${user} ${remoteAddress}`).toSorted()).toEqual([
      `${name} ada 127.0.0.1`,
      `${name} bob 127.0.0.1`,
    ]);
    const ids = Array.from({ length: many }, (_, index) => `é日😀 ${index}`);
    const acks = await Promise.all(ids.map((id) => ada.room.publish("line:add", { id })));
    expect(acks.map(({ position }) => position.seq)).toEqual(ids.map((_, index) => index + 1));
    for (const { lines, room } of [ada, bob]) {
      await vi.waitFor(() => expect(lines).toHaveLength(many), patience);
      expect(lines).toEqual(ids);
      expect(room.state.getSnapshot()).toEqual(ids);
    }
  });

  it("LNK-18: presence, signals, calls and binary payloads are as over a WebSocket", async () => {
    const { url } = await stage.serve({ authenticate, calls });
    const [ada, bob] = await Promise.all([enter(url, make()), enter(url, make(), "bob")]);
    await Promise.all([ada.room.presence.enter({ name: "ada" }), bob.room.presence.enter({ name: "bob" })]);
    for (const { room } of [ada, bob]) {
      await vi.waitFor(() => expect(room.presence.getSnapshot().people.map(({ user }) => String(user)).toSorted()).toEqual(["ada", "bob"]), patience);
    }
    const heard: unknown[] = [];
    bob.room.on("cursor:move", ({ payload }) => heard.push(payload));
    bob.room.on("picture:add", ({ payload }) => heard.push(payload.parts[0]?.bytes));
    ada.room.signal("cursor:move", { x: 1, y: 2 });
    await vi.waitFor(() => expect(heard).toEqual([{ x: 1, y: 2 }]), patience);
    await ada.room.publish("picture:add", { name: "p", parts: [{ bytes: Uint8Array.of(0, 255) }] });
    await vi.waitFor(() => expect(heard.at(-1)).toEqual(Uint8Array.of(0, 255)), patience);
    expect(await ada.client.call("text:echo", "é")).toBe("é");
    // Whoever leaves is gone at once.
    await bob.client.close();
    await vi.waitFor(() => expect(ada.room.presence.getSnapshot().people.map(({ user }) => user)).toEqual(["ada"]), patience);
  });

  it("LNK-18: a cut is recovered from, with nothing missed and nothing twice", async () => {
    const { server, port } = await stage.serve();
    const proxy = await stage.proxy(port);
    const { room, lines, client } = await enter(proxy.url, make());
    const ids = Array.from({ length: many }, (_, index) => String(index));
    const publisher = server.channel("room:{id}", one);
    for (const id of ids) {
      await publisher.publish("line:add", { id });
      if (Number(id) % 40 === 20) proxy.reset();
      if (Number(id) % 40 === 30) await vi.waitFor(() => expect(infoOf(client).status).toBe("connected"), patience);
    }
    await vi.waitFor(() => expect(lines.at(-1)).toBe(ids.at(-1)), patience);
    expect(lines).toEqual(ids);
    expect(room.state.getSnapshot()).toEqual(ids);
  });

  it("LNK-18, LNK-12: a kick is told, and nobody comes back unasked", async () => {
    const { server, url } = await stage.serve({ authenticate });
    const { client } = await enter(url, make());
    void server.disconnect({ user: "ada" }, "signed out");
    await vi.waitFor(() => expect(infoOf(client)).toMatchObject({ status: "disconnected", reason: { code: "KICKED", message: "signed out" } }), patience);
    expect(server.stats().connections).toBe(0);
  });

  it("LNK-18, LNK-12: a drain is told, and what was acknowledged is kept", async () => {
    const { server, url } = await stage.serve();
    const { client, room } = await enter(url, make());
    const { position } = await room.publish("line:add", { id: "a" });
    const drained = server.drain({ withinMs: 100 });
    await vi.waitFor(() => expect(infoOf(client)).toMatchObject({ status: "reconnecting", reason: { code: "SERVER_DRAINING" } }), patience);
    await drained;
    expect(await server.channel("room:{id}", one).state()).toEqual({ position: expect.objectContaining(position), state: ["a"] });
  });

  it("LNK-1, LNK-14: who is not let in is told so, and does not call again", async () => {
    let asked = 0;
    const { url } = await stage.serve({ authenticate: () => Promise.reject(new TuttiError("TOKEN_INVALID", { message: `refusal ${++asked}` })) });
    const client = stage.guests.client(url, { transport: make() });
    client.connect();
    await vi.waitFor(() => expect(infoOf(client)).toMatchObject({ status: "disconnected", reason: { code: "TOKEN_INVALID", message: "refusal 1" } }), patience);
    expect(asked).toBe(1);
  });

  it("LNK-9, LNK-18: each request at another node than the one before, events come once and in order, and publishes land once", async () => {
    const shared = memoryBroker();
    const broker = () => ({ ...boundBroker(shared), close: () => Promise.resolve() });
    const options = { authenticate, calls, sessionKeys: ["the key of both nodes, of 32 bytes and more"], nodeHeartbeatMs: 50, nodeSilenceMsMax: 2_000 };
    const served = [await stage.serve({ ...options, broker: broker() }), await stage.serve({ ...options, broker: broker() })];
    await vi.waitFor(() => expect(served.map(({ server }) => server.nodes().length)).toEqual([2, 2]), patience);
    const [ada, bob] = await Promise.all([enter(served[0]!.url, inTurn(make, served)), enter(served[0]!.url, inTurn(make, served.toReversed()), "bob")]);
    expect(served.map(({ server }) => server.stats().connections)).toEqual([1, 1]);
    const ids = Array.from({ length: many }, (_, index) => String(index));
    const acks: Promise<unknown>[] = [];
    for (const id of ids) {
      acks.push(ada.room.publish("line:add", { id: `ada ${id}` }), bob.room.publish("line:add", { id: `bob ${id}` }));
      if (Number(id) % 10 === 0) await acks.at(-1);
    }
    await Promise.all(acks);
    for (const { lines } of [ada, bob]) await vi.waitFor(() => expect(lines).toHaveLength(2 * many), patience);
    expect(ada.lines).toEqual(bob.lines);
    for (const user of ["ada", "bob"]) expect(ada.lines.filter((line) => line.startsWith(user))).toEqual(ids.map((id) => `${user} ${id}`));
    await ada.room.presence.enter({ name: "ada" });
    await bob.room.presence.enter({ name: "bob" });
    await vi.waitFor(() => expect(ada.room.presence.getSnapshot().people.map(({ user }) => String(user)).toSorted()).toEqual(["ada", "bob"]), patience);
    expect(await bob.client.call("text:echo", "é")).toBe("é");
    // None of them had to open anew for it.
    expect([ada, bob].map(({ client }) => infoOf(client).reconnectAttempts)).toEqual([0, 0]);
  });
});
