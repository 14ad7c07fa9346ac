import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { FaultProxy } from "@tutti/testkit";
import type { ClientOptions } from "@tutti/client";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { WebSocketServer } from "ws";
import { urlOf } from "./loopback.js";
import type { roomContract } from "./room-contract.js";
import { reasonsOf, statusesOf } from "./sdk.js";
import { reason, Stage } from "./stage.js";

const patience = { timeout: 10_000, interval: 10 };
const one = { id: "one" };

let stage: Stage;

beforeEach(() => {
  stage = new Stage();
});

afterEach(() => stage.end());

/** A client in the room, with all that it heard there. */
async function enter(url: string, options: Partial<ClientOptions<typeof roomContract>> = {}) {
  const client = stage.guests.client(url, options);
  const room = client.channel("room:{id}", one);
  const seqs: number[] = [];
  const gaps: object[] = [];
  room.on("line:add", ({ position }) => seqs.push(position.seq));
  room.on("gap", (gap) => gaps.push(gap));
  const statuses = statusesOf(client);
  await room.subscribe({ presence: { state: { name: "guest" } } });
  return { client, room, seqs, gaps, statuses, status: () => client.connection.getSnapshot().status };
}

const upTo = (seq: number): readonly number[] => Array.from({ length: seq }, (_, index) => index + 1);

describe("a server that lost its memory", () => {
  it("CON-7, REC-3, PUB-9: comes back at the same port: the gap is announced, what was published meanwhile lands, and all states are equal", async () => {
    const first = await stage.serve();
    const [ada, bob] = [await enter(first.url), await enter(first.url)];
    await Promise.all(["a", "b", "c"].map((id) => ada.room.publish("line:add", { id })));
    await vi.waitFor(() => expect(bob.seqs).toEqual([1, 2, 3]), patience);
    const before = ada.room.state.position();

    await first.stop();
    for (const { status } of [ada, bob]) await vi.waitFor(() => expect(status()).toBe("reconnecting"), patience);
    const pending = [ada.room.publish("line:add", { id: "d" }), bob.room.publish("line:add", { id: "e" })];
    expect(ada.room.state.getSnapshot()).toEqual(["a", "b", "c", "d"]);

    const second = await stage.serve({}, first.port);
    const after = (await Promise.all(pending)).map(({ position }) => position);
    expect(new Set(after.map(({ seq }) => seq))).toEqual(new Set([1, 2]));
    const { state, position } = await second.server.channel("room:{id}", one).state();
    expect(state.toSorted()).toEqual(["d", "e"]);
    for (const { room, gaps } of [ada, bob]) {
      await vi.waitFor(() => expect(room.state.position()).toMatchObject(position), patience);
      expect([room.state.getSnapshot(), room.state.canonical()]).toEqual([state, state]);
      expect(gaps).toMatchObject([{ from: { epoch: before?.epoch, seq: 3 }, to: { epoch: position.epoch } }]);
      await vi.waitFor(() => expect(room.presence.getSnapshot()).toMatchObject({ complete: true, people: [{}, {}] }), patience);
    }
  });
});

describe("a network that fails", () => {
  it("HB-1, HB-2, PRE-2: both ends find a half-open connection, and whoever was behind it is away, then gone", async () => {
    const heartbeat = { heartbeatIntervalMs: 100, heartbeatTimeoutMs: 100, connectTimeoutMs: 200 };
    const { server, port, url } = await stage.serve({ silenceMsMax: 600, presenceGraceMs: 2_000 });
    const proxy = await stage.proxy(port);
    const [ada, bob] = [await enter(proxy.url, heartbeat), await enter(url, heartbeat)];
    const session = ada.client.connection.getSnapshot().session;
    const people = () => bob.room.presence.getSnapshot().people.map(({ key, away }) => ({ isAda: key === session, away }));
    await vi.waitFor(() => expect(people()).toEqual([{ isAda: true, away: false }, { isAda: false, away: false }]), patience);
    await vi.waitFor(() => expect(ada.client.connection.getSnapshot().latencyMs).toBeGreaterThan(0), patience);

    proxy.halfOpen();
    await vi.waitFor(() => expect(reasonsOf(ada.statuses)).toContain("HEARTBEAT_TIMEOUT"), patience);
    await vi.waitFor(() => expect(server.stats().connections).toBe(1), { ...patience, interval: 5 });
    await vi.waitFor(() => expect(people()[0]).toEqual({ isAda: true, away: true }), { ...patience, interval: 5 });
    await vi.waitFor(() => expect(people()).toEqual([{ isAda: false, away: false }]), patience);

    proxy.resume();
    await vi.waitFor(() => expect(people()).toHaveLength(2), patience);
    expect(ada.status()).toBe("connected");
  });

  it("HB-1: what arrived behind the ping does not keep a connection alive that is dead since", async () => {
    const deaf = new WebSocketServer({ host: "127.0.0.1", port: 0 });
    deaf.on("connection", (socket) => {
      const welcome = { op: "welcome", version: 1, session: "s", connection: "c", capabilities: [], heartbeat: { intervalMs: 50, timeoutMs: 100 }, limits: { messageBytesMax: 65_536 }, timestamp: 0 };
      socket.on("message", (data: Buffer) => {
        if (data.includes("hello")) socket.send(JSON.stringify(welcome));
        // Under way when the client asked, and the last that it hears.
        else if (data.includes("ping")) setTimeout(() => socket.send(JSON.stringify({ op: "events", channel: "room:two", epoch: "e", seq: 1, events: [] })), 20);
      });
    });
    await once(deaf, "listening");
    const client = stage.guests.client(urlOf((deaf.address() as AddressInfo).port));
    const ended = reason(client);
    client.connect();
    expect(await ended).toBe("HEARTBEAT_TIMEOUT");
    await client.close();
    deaf.close();
  });

  /** Publishes while `harm` comes again and again, and sees that everything landed once, in order, at both sides. */
  async function survives(harm: (proxy: FaultProxy, round: number) => void, options: Partial<ClientOptions<typeof roomContract>> = {}): Promise<void> {
    const rounds = 12;
    const perRound = 25;
    const { server, port, url } = await stage.serve();
    const proxy = await stage.proxy(port);
    const [ada, bob] = [await enter(proxy.url, options), await enter(url)];
    const acks: Promise<{ readonly position: { readonly seq: number } }>[] = [];
    const text = "x".repeat(2_000);
    for (let round = 0; round < rounds; round++) {
      await vi.waitFor(() => expect(ada.room.status.getSnapshot().status).toBe("live"), patience);
      harm(proxy, round);
      for (let count = 0; count < perRound; count++) {
        acks.push(ada.room.publish("line:add", { id: `ada ${round * perRound + count}`, text }), bob.room.publish("line:add", { id: `bob ${round * perRound + count}`, text }));
      }
      await vi.waitFor(() => expect(reasonsOf(ada.statuses).length).toBeGreaterThan(round), patience);
    }
    const seqs = (await Promise.all(acks)).map(({ position }) => position.seq);
    const total = 2 * rounds * perRound;
    expect(seqs.toSorted((a, b) => a - b)).toEqual(upTo(total));
    const { state } = await server.channel("room:{id}", one).state();
    for (const { room, seqs: heard, gaps } of [ada, bob]) {
      await vi.waitFor(() => expect(heard.length).toBeGreaterThanOrEqual(total), patience);
      expect([heard, gaps]).toEqual([upTo(total), []]);
      expect(room.state.getSnapshot()).toEqual(state);
    }
    for (const name of ["ada", "bob"]) {
      expect(state.filter((id) => id.startsWith(name))).toEqual(Array.from({ length: rounds * perRound }, (_, index) => `${name} ${index}`));
    }
  }

  it("INV-1, INV-2, INV-3, INV-8: connections that are cut after some bytes, in the middle of a frame, lose and double nothing", () =>
    survives((proxy, round) => proxy.cutAfter(1 + round * 7_919)));

  it("INV-1, INV-2, INV-3, INV-8: connections that are reset while frames are under way lose and double nothing", () =>
    survives((proxy, round) => {
      proxy.shape({ latencyMs: round % 3 });
      setImmediate(() => proxy.reset());
    }));

  it("INV-1, INV-2, INV-3, INV-8, HB-1: connections that die without a word lose and double nothing", () =>
    survives(
      (proxy) => {
        proxy.halfOpen();
        // New ones get through; the old one swallows what it carries, until somebody gives it up.
        proxy.resume();
      },
      { heartbeatIntervalMs: 50, heartbeatTimeoutMs: 100 },
    ));
});
