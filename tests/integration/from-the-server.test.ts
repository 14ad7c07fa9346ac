import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { connected, reason, rejection, Stage, surfaced } from "./stage.js";
import type { RoomClient } from "./sdk.js";

const patience = { timeout: 5_000, interval: 5 };
const one = { id: "one" };

let stage: Stage;

beforeEach(() => {
  stage = new Stage();
});

afterEach(() => stage.end());

const authenticate = ({ token }: { readonly token: string | undefined }) => (token === undefined ? undefined : { id: token });

async function start() {
  const served = await stage.serve({ authenticate });
  return { ...served, room: served.server.channel("room:{id}", one) };
}

const roomOf = (client: RoomClient) => client.channel("room:{id}", one);

function watch(client: RoomClient) {
  const lines: string[] = [];
  roomOf(client).on("line:add", ({ payload }) => lines.push(payload.id));
  return { client, room: roomOf(client), lines, status: () => roomOf(client).status.getSnapshot() };
}

async function enter(url: string, token: string) {
  const guest = watch(stage.guests.client(url, { token }));
  await guest.room.subscribe();
  return guest;
}

/** What the application does from its own code, as clients of the SDK see it. */
describe("from the application's own code", () => {
  it("PUB-10: publish reaches clients; a key is used once, and an expected position has to be the head", async () => {
    const { room, url } = await start();
    const ada = await enter(url, "ada");
    const first = await room.publish("line:add", { id: "a" }, { key: "order 1" });
    const second = await room.publish("line:add", { id: "b" }, { expected: first.position });
    expect(await room.publish("line:add", { id: "a" }, { key: "order 1" })).toEqual({ ...first, repeat: true });
    expect(await rejection(room.publish("line:add", { id: "c" }, { expected: first.position }))).toBe("CONDITION_FAILED");
    expect(await rejection(room.publish("line:add", Object({ id: 1 }) as { id: string }))).toBe("PAYLOAD_INVALID");
    await vi.waitFor(() => expect(ada.lines).toEqual(["a", "b"]), patience);
    expect(ada.room.state.position()).toMatchObject(second.position);
  });

  it("SIG-1: a signal of the server reaches the subscribers", async () => {
    const { room, url } = await start();
    const ada = await enter(url, "ada");
    const heard: unknown[] = [];
    ada.room.on("cursor:move", ({ payload }) => heard.push(payload));
    await room.signal("cursor:move", { x: 1, y: 2 });
    await vi.waitFor(() => expect(heard).toEqual([{ x: 1, y: 2 }]), patience);
  });

  it("SUB-4: whoever is kicked hears the reason and nothing more, and does not come back by itself", async () => {
    const { room, port, url } = await start();
    const proxy = await stage.proxy(port);
    const [ada, bob] = [await enter(proxy.url, "ada"), await enter(url, "bob")];
    const error = surfaced(ada.client);
    void room.kick({ user: "ada" }, "house rules");
    await room.publish("line:add", { id: "after" });
    expect(await error).toBe("KICKED");
    expect(ada.status()).toMatchObject({ status: "left", error: { code: "KICKED", message: "house rules" } });

    proxy.reset();
    await reason(ada.client);
    await connected(ada.client);
    await room.publish("line:add", { id: "later" });
    await vi.waitFor(() => expect(bob.lines).toEqual(["after", "later"]), patience);
    await room.publish("line:add", { id: "last" });
    expect(ada.status().status).toBe("left");
    // Asked by the user, it may.
    await ada.room.subscribe();
    expect([ada.lines, ada.room.state.getSnapshot()]).toEqual([[], ["after", "later", "last"]]);
  });

  it("SUB-4: revoke ends the subscriptions of one session, and nothing is delivered after it", async () => {
    const { room, url } = await start();
    const [phone, laptop] = [await enter(url, "ada"), await enter(url, "ada")];
    const session = phone.client.connection.getSnapshot().session ?? "";
    const error = surfaced(phone.client);
    await room.publish("line:add", { id: "before" });
    void room.revoke({ session });
    await room.publish("line:add", { id: "after" });
    expect(await error).toBe("SUBSCRIPTION_REVOKED");
    await vi.waitFor(() => expect(laptop.lines).toEqual(["before", "after"]), patience);
    expect(phone.lines).not.toContain("after");
    expect(phone.status()).toMatchObject({ status: "left", error: { code: "SUBSCRIPTION_REVOKED" } });
  });

  it("SUB-5: a user is put into a channel with all present and coming connections, and taken out again", async () => {
    const { room, url } = await start();
    const phone = watch(stage.guests.client(url, { token: "ada" }));
    const joined: string[] = [];
    phone.client.on("joined", (name) => joined.push(name));
    await connected(phone.client);
    await room.publish("line:add", { id: "before" });
    await room.add({ user: "ada" });
    await vi.waitFor(() => expect([joined, phone.status().status]).toEqual([["room:one"], "live"]), patience);

    const laptop = watch(stage.guests.client(url, { token: "ada" }));
    await connected(laptop.client);
    await vi.waitFor(() => expect(laptop.status().status).toBe("live"), patience);
    await room.publish("line:add", { id: "a" });
    for (const { lines, room: entered } of [phone, laptop]) {
      await vi.waitFor(() => expect(lines).toEqual(["a"]), patience);
      expect(entered.state.getSnapshot()).toEqual(["before", "a"]);
    }

    void room.remove({ user: "ada" }, "moved on");
    for (const { status } of [phone, laptop]) await vi.waitFor(() => expect(status()).toMatchObject({ status: "left", error: { message: "moved on" } }), patience);
    const tablet = watch(stage.guests.client(url, { token: "ada" }));
    await connected(tablet.client);
    // What the server puts in comes with the welcome: an answer that comes after it would come after that, too.
    expect(await rejection(tablet.client.call("text:echo", "not handled"))).toBe("TYPE_UNKNOWN");
    expect(tablet.status().status).toBe("unsubscribed");
  });

  it("SUB-7: a channel that is closed ends for everybody, and is not found again", async () => {
    const { room, url } = await start();
    const guests = [await enter(url, "ada"), await enter(url, "bob")];
    void room.close();
    for (const { status } of guests) await vi.waitFor(() => expect(status()).toMatchObject({ status: "left", error: { code: "ROOM_NOT_FOUND" } }), patience);
    for (const guest of guests) expect(await rejection(guest.room.subscribe())).toBe("ROOM_NOT_FOUND");
  });

  it("SRV-2: connections are known with user, client and address", async () => {
    const { server, url } = await start();
    const startedAt = Date.now();
    const client = stage.guests.client(url, { token: "ada", client: { name: "canvas", version: "1.2.3" } });
    await connected(client);
    const [metadata] = server.connections();
    expect(metadata).toMatchObject({ user: "ada", client: { name: "canvas", version: "1.2.3" }, transport: "websocket", remoteAddress: "127.0.0.1" });
    expect(metadata?.session).toBe(client.connection.getSnapshot().session);
    expect(metadata?.since).toBeGreaterThanOrEqual(startedAt);
    expect(metadata?.since).toBeLessThanOrEqual(Date.now());
  });

  it("SRV-3: disconnect ends all connections of a user, who does not come back unasked", async () => {
    const { server, url } = await start();
    const guests = [await enter(url, "ada"), await enter(url, "ada"), await enter(url, "bob")];
    void server.disconnect({ user: "ada" }, "signed out everywhere");
    for (const { client } of guests.slice(0, 2)) {
      await vi.waitFor(() => expect(client.connection.getSnapshot()).toMatchObject({ status: "disconnected", reason: { code: "KICKED", message: "signed out everywhere" }, retryAt: undefined }), patience);
    }
    expect(server.connections().map(({ user }) => user)).toEqual(["bob"]);
    await connected(guests[0]!.client);
    expect(guests[0]!.client.connection.getSnapshot().reason).toBeUndefined();
  });

  it("SRV-1, CON-8: a drain acknowledges what is under way, says when to come back, and takes nobody new", async () => {
    const { server, room, url } = await start();
    const [ada, bob] = [await enter(url, "ada"), await enter(url, "bob")];
    const acknowledged: string[] = [];
    const ids = Array.from({ length: 200 }, (_, index) => String(index));
    const publishes = ids.map((id) => ada.room.publish("line:add", { id }).then(() => acknowledged.push(id)));
    // Some are acknowledged, some under way, and the rest has not been sent.
    await publishes[0];
    const settled = Promise.allSettled(publishes);
    const drained = server.drain({ withinMs: 60_000 });
    for (const { client } of [ada, bob]) await vi.waitFor(() => expect(client.connection.getSnapshot()).toMatchObject({ status: "reconnecting", reason: { code: "SERVER_DRAINING" } }), patience);
    await drained;

    // Both are told a moment of their own within the minute.
    const [first, second] = [ada, bob].map(({ client }) => client.connection.getSnapshot().retryAt ?? 0);
    expect(first).not.toBe(second);
    for (const retryAt of [first, second]) expect(retryAt).toBeLessThanOrEqual(Date.now() + 60_000 + 5);
    const { state } = await room.state();
    expect(acknowledged).toEqual(state);
    expect(acknowledged.length).toBeLessThan(ids.length);
    expect(ada.room.pending.getSnapshot().map(({ n }) => n)).toEqual(ids.slice(acknowledged.length).map((id) => Number(id) + 1));
    await ada.client.close();
    const refused = (await settled).flatMap((result) => (result.status === "rejected" ? [result.reason] : []));
    expect(refused).toHaveLength(ids.length - acknowledged.length);
    for (const error of refused) expect(error).toMatchObject({ code: "CLIENT_CLOSED" });
    expect(server.stats().connections).toBe(0);
    await expect(stage.raw(url)).rejects.toThrow("503");
  });
});
