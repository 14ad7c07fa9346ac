import { once } from "node:events";
import { jsonCodec, type Codec, type Encoded } from "@tutti/protocol";
import { msgpackCodec } from "@tutti/protocol/msgpack";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { WebSocket } from "ws";
import { hello, Stage } from "./stage.js";
import { reasonsOf, statusesOf } from "./sdk.js";

const patience = { timeout: 5_000, interval: 5 };
const codecs = [jsonCodec, msgpackCodec];
const one = { id: "one" };

let stage: Stage;

beforeEach(() => {
  stage = new Stage();
});

afterEach(() => stage.end());

/** A client of this codec in the room, and what it hears there. */
async function enter(url: string, codec: Codec) {
  const client = stage.guests.client(url, { codec });
  const room = client.channel("room:{id}", one);
  const heard: object[] = [];
  const note = ({ position, eventId, type, payload }: { readonly position: object; readonly eventId: string; readonly type: string; readonly payload: unknown }): void => {
    heard.push({ position, eventId, type, payload });
  };
  room.on("line:add", note);
  room.on("picture:add", note);
  await room.subscribe({ presence: { state: { name: codec.name } } });
  return { client, room, heard };
}

/** A WebSocket that says hello in this codec, and keeps what comes as it comes. */
async function raw(url: string, codec: Codec) {
  const socket = new WebSocket(url, `tutti.1.${codec.name}`);
  const messages: Encoded[] = [];
  const frames: { readonly op?: unknown; readonly error?: { readonly code: string } }[] = [];
  socket.on("message", (data: Buffer, isBinary) => {
    const message = isBinary ? data : data.toString();
    messages.push(message);
    frames.push(...(codec.decode(message) as typeof frames));
  });
  await once(socket, "open");
  const closed = once(socket, "close") as Promise<[number, Buffer]>;
  socket.send(codec.encode([hello()]));
  await vi.waitFor(() => expect(frames[0]).toMatchObject({ op: "welcome" }), patience);
  return { socket, messages, frames, closed };
}

describe("codecs, over real sockets", () => {
  it("WIRE-9, HEL-9: clients of either codec in one channel see the same", async () => {
    const { url, server } = await stage.serve({ codecs, calls: { "text:echo": ({ payload }) => payload } });
    const [ada, bob] = await Promise.all(codecs.map((codec) => enter(url, codec)));
    if (ada === undefined || bob === undefined) throw new Error("nobody came");
    const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);

    for (const { room } of [ada, bob]) {
      await room.publish("line:add", { id: "plain", text: "é 日本 😀" });
      await room.publish("line:add", { id: "lone", text: "\ud800 and \ufeff" });
      await room.publish("picture:add", { name: "$bytes", parts: [{ bytes }, { bytes: new Uint8Array() }] });
    }
    await vi.waitFor(() => expect([ada.heard.length, bob.heard.length]).toEqual([6, 6]), patience);
    expect(ada.heard).toEqual(bob.heard);
    expect(ada.heard[5]).toMatchObject({ payload: { name: "$bytes", parts: [{ bytes }, { bytes: new Uint8Array() }] } });

    for (const { room, client } of [ada, bob]) {
      const names = () => room.presence.getSnapshot().people.flatMap(({ devices }) => devices.map(({ state }) => state.name));
      await vi.waitFor(() => expect(names().toSorted()).toEqual(["json", "msgpack"]), patience);
      expect(await client.call("text:echo", "\udfff")).toBe("\udfff");
    }
    const cursors: unknown[] = [];
    ada.room.on("cursor:move", ({ payload }) => cursors.push(payload));
    bob.room.signal("cursor:move", { x: 0.5, y: -1 });
    await vi.waitFor(() => expect(cursors).toEqual([{ x: 0.5, y: -1 }]), patience);
    expect(server.stats().connections).toBe(2);
  });

  it("WIRE-9, REC-2: who speaks MessagePack recovers what it missed, and sends again what was under way", async () => {
    const { port, url } = await stage.serve({ codecs });
    const proxy = await stage.proxy(port);
    const [ada, bob] = [await enter(url, jsonCodec), await enter(proxy.url, msgpackCodec)];
    await ada.room.publish("line:add", { id: "first" });
    await vi.waitFor(() => expect(bob.heard).toHaveLength(1), patience);
    proxy.refuse();
    proxy.reset();
    await vi.waitFor(() => expect(bob.client.connection.getSnapshot().status).toBe("reconnecting"), patience);
    const acks = [bob.room.publish("line:add", { id: "mine" })];
    for (const id of ["second", "third"]) await ada.room.publish("line:add", { id });
    proxy.resume();
    await Promise.all(acks);
    await vi.waitFor(() => expect(bob.heard).toHaveLength(4), patience);
    await vi.waitFor(() => expect(ada.heard).toEqual(bob.heard), patience);
    expect(bob.room.state.getSnapshot()).toEqual(["first", "second", "third", "mine"]);
  });

  it("WIRE-9: MessagePack travels in binary messages, and only text that UTF-8 has no bytes for as JSON", async () => {
    const { url, server } = await stage.serve({ codecs });
    const { socket, messages, frames } = await raw(url, msgpackCodec);
    socket.send(msgpackCodec.encode([{ op: "subscribe", correlationId: "1", channel: "room:one" }]));
    await vi.waitFor(() => expect(frames.some(({ op }) => op === "reply")).toBe(true), patience);
    expect(messages.every((message) => message instanceof Uint8Array)).toBe(true);
    await server.channel("room:{id}", one).publish("line:add", { id: "lone", text: "\ud800" });
    await vi.waitFor(() => expect(frames.at(-1)).toMatchObject({ op: "events" }), patience);
    expect(messages.at(-1)).toContain("\\ud800");
    socket.terminate();
  });

  it.each([
    ["bytes that are no MessagePack", Uint8Array.of(0xc1), "MESSAGE_MALFORMED", 4200],
    ["a list of 2^32 frames", Uint8Array.of(0xdd, 255, 255, 255, 255), "MESSAGE_MALFORMED", 4200],
    ["lists in lists", new Uint8Array(1_000).fill(0x91), "MESSAGE_TOO_DEEP", 4201],
    ["text that is no JSON", "{", "MESSAGE_MALFORMED", 4200],
  ])("WIRE-9: %s end the connection with a code", async (_title, message, code, closeCode) => {
    const { url } = await stage.serve({ codecs });
    const { socket, frames, closed } = await raw(url, msgpackCodec);
    socket.send(message);
    const [closedBy, reason] = await closed;
    expect([closedBy, reason.toString(), frames.at(-1)?.error?.code]).toEqual([closeCode, code, code]);
  });

  it("WIRE-3: who speaks JSON may not send bytes, whatever others may", async () => {
    const { url } = await stage.serve({ codecs });
    const { socket, closed } = await raw(url, jsonCodec);
    socket.send(msgpackCodec.encode([{ op: "ping" }]));
    expect((await closed)[0]).toBe(4200);
  });

  it.each([
    ["MessagePack", msgpackCodec, [jsonCodec]],
    ["JSON", jsonCodec, [msgpackCodec]],
  ])("HEL-9: a client of %s hears that the server has another codec alone, and does not call again", async (_title, codec, spoken) => {
    const { port } = await stage.serve({ codecs: spoken });
    const proxy = await stage.proxy(port);
    const client = stage.guests.client(proxy.url, { codec });
    const statuses = statusesOf(client);
    client.connect();
    await vi.waitFor(() => expect(reasonsOf(statuses)).toEqual(["VERSION_UNSUPPORTED"]), patience);
    expect(client.connection.getSnapshot()).toMatchObject({ status: "disconnected", reason: { message: `this server speaks tutti.1.${spoken[0]?.name}` } });
  });

  it("HEL-9: a client that offers several is given the first that the server has", async () => {
    const { url } = await stage.serve({ codecs });
    for (const [offered, given] of [[["tutti.1.cbor", "tutti.1.msgpack", "tutti.1.json"], "tutti.1.msgpack"], [["tutti.1.json", "tutti.1.msgpack"], "tutti.1.json"]] as const) {
      const socket = new WebSocket(url, [...offered]);
      await once(socket, "open");
      expect(socket.protocol).toBe(given);
      socket.terminate();
    }
  });
});
