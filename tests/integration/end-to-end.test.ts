import { TuttiError, channelName } from "@tutti/protocol";
import type { ReceivedEvent, Rollback } from "@tutti/client";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { connected, rejection, Stage } from "./stage.js";
import type { RoomClient } from "./sdk.js";

const patience = { timeout: 5_000, interval: 5 };
const one = { id: "one" };

let stage: Stage;

beforeEach(() => {
  stage = new Stage();
});

afterEach(() => stage.end());

const roomOf = (client: RoomClient) => client.channel("room:{id}", one);

async function enter(url: string, token?: string) {
  const client = stage.guests.client(url, token === undefined ? {} : { token });
  const room = roomOf(client);
  const lines: ReceivedEvent<"line:add", { readonly id: string }>[] = [];
  room.on("line:add", (event) => lines.push(event));
  await room.subscribe();
  return { client, room, lines };
}

const userOf = ({ token }: { readonly token: string | undefined }) => (token === undefined ? undefined : { id: token });

describe("publishing, end to end", () => {
  it("PUB-1, REC-1, INV-8: publishes under way together are acknowledged, and reach everybody once, in their order", async () => {
    const { server, url } = await stage.serve({ authenticate: userOf });
    const [ada, bob] = await Promise.all([enter(url, "ada"), enter(url, "bob")]);
    const ids = Array.from({ length: 200 }, (_, index) => `ada ${index}`);
    const acks = await Promise.all(ids.map((id) => ada.room.publish("line:add", { id })));

    expect(acks.map(({ position }) => position.seq)).toEqual(ids.map((_, index) => index + 1));
    for (const { lines, room } of [ada, bob]) {
      await vi.waitFor(() => expect(lines).toHaveLength(ids.length), patience);
      expect(lines.map(({ payload }) => payload.id)).toEqual(ids);
      expect(lines.map(({ position, eventId }) => ({ position, eventId }))).toEqual(acks);
      expect(room.state.getSnapshot()).toEqual(ids);
    }
    expect(ada.lines[0]).toMatchObject({ own: true, user: "ada", channel: "room:one", payload: { id: "ada 0", text: "" } });
    expect(bob.lines[0]).toMatchObject({ own: false, user: "ada" });
    expect(await server.channel("room:{id}", one).state()).toEqual({ position: acks.at(-1)?.position, state: ids });
    expect([ada.client.pending.getSnapshot(), ada.room.pending.getSnapshot()]).toEqual([{ count: 0, bytes: 0 }, []]);
  });

  it("STA-3, PUB-9: what is published is in the state at once, offline too, and what was published by others meanwhile is below it", async () => {
    const { port, url } = await stage.serve();
    const proxy = await stage.proxy(port);
    const [ada, bob] = [await enter(proxy.url), await enter(url)];
    proxy.refuse();
    proxy.reset();
    await vi.waitFor(() => expect(ada.client.connection.getSnapshot().status).toBe("reconnecting"), patience);

    const acks = ["a", "b", "c"].map((id) => ada.room.publish("line:add", { id }));
    expect(ada.room.state.getSnapshot()).toEqual(["a", "b", "c"]);
    expect(ada.room.state.canonical()).toEqual([]);
    expect(ada.room.pending.getSnapshot()).toMatchObject([{ n: 1 }, { n: 2 }, { n: 3 }]);
    await bob.room.publish("line:add", { id: "x" });

    proxy.resume();
    const positions = await Promise.all(acks);
    expect(positions.map(({ position }) => position.seq)).toEqual([2, 3, 4]);
    for (const { room } of [ada, bob]) await vi.waitFor(() => expect(room.state.getSnapshot()).toEqual(["x", "a", "b", "c"]), patience);
    expect(ada.room.state.canonical()).toEqual(["x", "a", "b", "c"]);
  });

  it("STA-4, PUB-6: what the application refuses leaves the state, and the refusal is surfaced with what the application says", async () => {
    const locked = new TuttiError("ROOM_LOCKED", { message: "Somebody is presenting.", data: { until: "noon" } });
    const { url } = await stage.serve({
      channels: {
        "room:{id}": {
          publish: {
            "line:add": ({ payload }) => {
              if (payload.id === "locked") throw locked;
              return { ...payload, text: payload.text.toUpperCase() };
            },
          },
        },
      },
    });
    const { client, room, lines } = await enter(url);
    const rollbacks: Rollback[] = [];
    client.on("rollback", (rollback) => rollbacks.push(rollback));
    const outcomes = Promise.allSettled([room.publish("line:add", { id: "a", text: "hello" }), room.publish("line:add", { id: "locked" }), room.publish("line:add", { id: "b" })]);
    expect(room.state.getSnapshot()).toEqual(["a", "locked", "b"]);

    const [, refused] = await outcomes;
    expect(refused).toMatchObject({ status: "rejected", reason: { code: "ROOM_LOCKED", message: "Somebody is presenting.", data: { until: "noon" } } });
    await vi.waitFor(() => expect(lines).toHaveLength(2), patience);
    expect(lines.map(({ payload }) => payload)).toEqual([{ id: "a", text: "HELLO" }, { id: "b", text: "" }]);
    expect(room.state.getSnapshot()).toEqual(["a", "b"]);
    expect(rollbacks).toMatchObject([{ channel: "room:one", type: "line:add", payload: { id: "locked" }, error: { code: "ROOM_LOCKED" } }]);
  });

  it("PUB-5: a publish that was refused for a moment is sent again, ahead of what follows it", async () => {
    let refusals = 2;
    const { url } = await stage.serve({
      channels: {
        "room:{id}": {
          publish: {
            "line:add": () => {
              if (refusals-- > 0) throw new TuttiError("RATE_LIMITED", { retryAfterMs: 20 });
            },
          },
        },
      },
    });
    const { room, lines } = await enter(url);
    await Promise.all(["a", "b", "c"].map((id) => room.publish("line:add", { id })));
    expect(refusals).toBeLessThan(0);
    await vi.waitFor(() => expect(lines.map(({ payload }) => payload.id)).toEqual(["a", "b", "c"]), patience);
  });

  it("WIRE-2: binary payloads arrive as they were sent, at any depth, at the handler and at everybody", async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
    const picture = { name: "p", parts: [{ bytes }, { bytes: new Uint8Array() }, { bytes: bytes.subarray(7, 8) }] };
    const handled: unknown[] = [];
    const { url } = await stage.serve({ channels: { "room:{id}": { publish: { "picture:add": ({ payload }) => void handled.push(payload) } } } });
    const [ada, bob] = await Promise.all([enter(url), enter(url)]);
    const heard: unknown[] = [];
    for (const { room } of [ada, bob]) room.on("picture:add", ({ payload }) => heard.push(payload));
    await ada.room.publish("picture:add", picture);
    await vi.waitFor(() => expect(heard).toHaveLength(2), patience);
    for (const received of [...handled, ...heard]) {
      expect(received).toEqual(picture);
      expect((received as typeof picture).parts[0]?.bytes).toBeInstanceOf(Uint8Array);
    }
  });

  it("WIRE-1: a batch of frames is handled frame by frame, and what a turn brings leaves as one frame", async () => {
    const { url } = await stage.serve();
    const client = await stage.greeted(url);
    const channel = channelName("room:{id}", one);
    const publish = (n: number) => ({ op: "publish", correlationId: `p${n}`, channel, n, settled: 0, type: "line:add", payload: { id: String(n) }, timestamp: 0 });
    client.send({ op: "subscribe", correlationId: "s", channel });
    await client.next(({ correlationId }) => correlationId === "s");
    client.send([publish(1), publish(2), { op: "ping" }, publish(3)]);
    await client.next(({ correlationId }) => correlationId === "p3");
    const events = await client.next(({ op }) => op === "events");
    expect(events).toMatchObject({ seq: 1, events: [{ payload: { id: "1" } }, { payload: { id: "2" } }, { payload: { id: "3" } }] });
    expect(client.frames.filter(({ op }) => op === "reply").map(({ correlationId }) => correlationId)).toEqual(["s", "p1", "p2", "p3"]);
    expect(client.frames.filter(({ op }) => op === "pong")).toHaveLength(1);
  });
});

describe("calls, end to end", () => {
  it("CALL-1: calls of a channel and of none are answered, together and in any order", async () => {
    const { url } = await stage.serve({
      authenticate: userOf,
      calls: { "text:echo": ({ payload, user }) => `${user?.id}: ${payload}` },
      channels: { "room:{id}": { calls: { "room:count": ({ payload, params }) => ({ count: payload.atLeast + params.id.length }) } } },
    });
    const { client, room } = await enter(url, "ada");
    const answers = await Promise.all([...Array.from({ length: 50 }, (_, index) => client.call("text:echo", String(index))), room.call("room:count", { atLeast: 4 })]);
    expect(answers).toEqual([...Array.from({ length: 50 }, (_, index) => `ada: ${index}`), { count: 7 }]);
  });

  it("CALL-1: a refusal has the code of the application, and a result against the contract is INTERNAL", async () => {
    const { url } = await stage.serve({
      calls: {
        "text:echo": ({ payload }) => {
          if (payload === "refuse") throw new TuttiError("NOT_TODAY", { message: "Come back tomorrow." });
          return Object(payload) as string;
        },
      },
    });
    const client = stage.guests.client(url);
    await connected(client);
    expect(await rejection(client.call("text:echo", "refuse"))).toBe("NOT_TODAY");
    expect(await rejection(client.call("text:echo", "an object"))).toBe("INTERNAL");
    await expect(client.call("text:echo", "never", { signal: AbortSignal.abort(new Error("changed my mind")) })).rejects.toThrow("changed my mind");
  });
});

describe("presence and signals, end to end", () => {
  it("PRE-1, PRE-3, PRE-5: a person on two devices counts once, with each device visible, until the last one leaves", async () => {
    const { url } = await stage.serve({ authenticate: userOf });
    const watcher = roomOf(stage.guests.client(url, { token: "bob" }));
    const notices: string[] = [];
    for (const type of ["presence:join", "presence:update", "presence:leave"] as const) {
      watcher.on(type, ({ user, state }) => notices.push(`${type} ${user} ${state.name}`));
    }
    await watcher.subscribe({ presence: { state: { name: "Bob" } } });
    const [phone, laptop] = [stage.guests.client(url, { token: "ada" }), stage.guests.client(url, { token: "ada" })];
    await roomOf(phone).subscribe({ presence: { state: { name: "phone" } } });
    await roomOf(laptop).subscribe({ presence: { state: { name: "laptop" } } });

    const people = () => watcher.presence.getSnapshot().people.map(({ user, devices }) => ({ user, devices: devices.map(({ state, activity, self }) => ({ name: state.name, activity, self })) }));
    const bob = { user: "bob", devices: [{ name: "Bob", activity: "active", self: true }] };
    const device = (name: string, activity: string) => ({ name, activity, self: false });
    await vi.waitFor(() => expect(people()).toEqual([bob, { user: "ada", devices: [device("phone", "active"), device("laptop", "active")] }]), patience);

    phone.setActivity("idle");
    await roomOf(laptop).presence.update({ name: "desk" });
    await vi.waitFor(() => expect(people()).toEqual([bob, { user: "ada", devices: [device("phone", "idle"), device("desk", "active")] }]), patience);
    await laptop.close();
    await vi.waitFor(() => expect(people()).toEqual([bob, { user: "ada", devices: [device("phone", "idle")] }]), patience);
    await roomOf(phone).presence.leave();
    await vi.waitFor(() => expect(people()).toEqual([bob]), patience);
    expect(notices.filter((notice) => notice.startsWith("presence:join ada") || notice.startsWith("presence:leave ada"))).toEqual([
      "presence:join ada phone",
      "presence:join ada laptop",
      "presence:leave ada desk",
      "presence:leave ada phone",
    ]);
  });

  it("SIG-2, SIG-5: signals leave 20 times a second at most, the newest last, and never come back", async () => {
    const spanMs = 500;
    const { url } = await stage.serve();
    const [ada, bob] = await Promise.all([enter(url), enter(url)]);
    const heard: { readonly x: number; readonly at: number }[] = [];
    let own = 0;
    bob.room.on("cursor:move", ({ payload }) => heard.push({ x: payload.x, at: performance.now() }));
    ada.room.on("cursor:move", () => own++);
    let x = 0;
    for (const startedAt = performance.now(); performance.now() - startedAt < spanMs; ) {
      ada.room.signal("cursor:move", { x: ++x, y: 0 });
      await new Promise(setImmediate);
    }
    await vi.waitFor(() => expect(heard.at(-1)?.x).toBe(x), patience);
    expect(heard.map((signal) => signal.x)).toEqual(heard.map((signal) => signal.x).toSorted((a, b) => a - b));
    expect(heard.length).toBeLessThanOrEqual(spanMs / 50 + 2);
    // A machine that is busy may lose some of its turns, and never most of them.
    expect(heard.length).toBeGreaterThan(spanMs / 50 / 3);
    expect(own).toBe(0);
  });

  it("SIG-4: somebody whose connection died while typing is typing for four seconds more", async () => {
    const { port, url } = await stage.serve();
    const proxy = await stage.proxy(port);
    const [ada, bob] = [await enter(proxy.url), await enter(url)];
    ada.room.typing.start();
    await vi.waitFor(() => expect(bob.room.typing.getSnapshot()).toEqual([{ session: ada.client.connection.getSnapshot().session }]), patience);
    ada.room.typing.stop();
    await vi.waitFor(() => expect(bob.room.typing.getSnapshot()).toEqual([]), patience);

    ada.room.typing.start();
    await vi.waitFor(() => expect(bob.room.typing.getSnapshot()).toHaveLength(1), patience);
    const heardAt = performance.now();
    proxy.halfOpen();
    await vi.waitFor(() => expect(bob.room.typing.getSnapshot()).toEqual([]), { timeout: 6_000, interval: 20 });
    expect(performance.now() - heardAt).toBeGreaterThan(3_500);
  });
});
