import { jsonCodec } from "@tutti/protocol";
import { describe, expect, test } from "vitest";
import type { Identity, Mark, Wire } from "../../src/load/wire.js";
import { centrifugo } from "../../src/peers/centrifugo.js";
import { socketIo } from "../../src/peers/socket-io.js";
import { tutti } from "../../src/peers/tutti.js";
import { ws } from "../../src/peers/ws.js";

const mark = (i: number): Mark & { readonly x: string } => ({ p: 7, i, t: 1_000 + i, x: "xxxx" });
const payloadOf = (i: number): string => JSON.stringify(mark(i));

/** What a wire tells by the head of a message that stands anywhere in a buffer. */
function identity(wire: Wire, message: string, arrived = message.length): Identity {
  const bytes = Buffer.from(`before${message}behind`);
  return wire.identify(bytes, 6, 6 + arrived, message.length);
}

const told = (wire: Wire, message: string) => ({ identity: identity(wire, message), ...wire.read(message) });

/** What is said until a member is in, for each text that arrives. */
function* said(wire: Wire, texts: readonly string[], channels: readonly string[] = ["room:one"]): Generator<string> {
  const conversation = wire.join({ member: 1, channels, token: "user-1", session: "s".repeat(32) });
  let step = conversation.next("");
  for (const text of ["", ...texts]) {
    if (text !== "") step = conversation.next(text);
    if (step.done === true) yield "in";
    else yield step.value.join(" ");
  }
}

describe("the wire of the product", () => {
  const { wire } = tutti;
  const event = (i: number) => ({ eventId: `e${i}`, type: "item:add", payload: mark(i), timestamp: 0, user: { id: "user-7" } });
  const events = (seq: number, count = 1, channel = "room:one"): string =>
    jsonCodec.encode([{ op: "events", channel, epoch: "E", seq, events: Array.from({ length: count }, (_, index) => event(seq + index)) }]);

  test("knows a batch of events again, and takes no other for it", () => {
    const key = identity(wire, events(5, 3));
    expect(key).toHaveProperty("key");
    // No more has to be there than the head.
    expect(identity(wire, events(5, 3), wire.headBytes)).toEqual(key);
    const others = [events(6, 3), events(5, 2), events(5, 3, "room:two")];
    for (const other of others) expect(identity(wire, other)).not.toEqual(key);
    expect(wire.read(events(5, 3)).marks).toEqual([mark(5), mark(6), mark(7)]);
  });

  test("knows a batch of signals by its first one and its length", () => {
    const signals = (...all: readonly number[]): string =>
      jsonCodec.encode([{ op: "signals", channel: "room:one", signals: all.map((i) => ({ type: "cursor:move", payload: mark(i), session: "s", user: { id: "user-7" } })) }]);
    const key = identity(wire, signals(1, 2));
    expect(key).toHaveProperty("key");
    for (const other of [signals(3, 2), signals(1)]) expect(identity(wire, other)).not.toEqual(key);
    expect(wire.read(signals(1, 2)).marks).toEqual([mark(1), mark(2)]);
  });

  test("reads what is for one connection: acks, what came with them, and what is wrong", () => {
    const ack = { op: "reply", correlationId: "17", success: true };
    expect(told(wire, jsonCodec.encode([ack]))).toEqual({ identity: "own", marks: [], acks: [17] });
    const both = jsonCodec.encode([ack, { op: "events", channel: "room:one", epoch: "E", seq: 1, events: [event(1)] }]);
    expect(told(wire, both)).toEqual({ identity: "own", marks: [mark(1)], acks: [17] });
    for (const frame of [{ ...ack, success: false, error: { code: "RATE_LIMITED" } }, { op: "error", code: "FRAME_INVALID" }, { op: "left", channel: "room:one" }, { op: "gap" }]) {
      expect(wire.read(jsonCodec.encode([frame])).problem).toBeDefined();
    }
  });

  test("is in when it is welcome, and subscribed to all its channels", () => {
    const reply = (id: string): string => jsonCodec.encode([{ op: "reply", correlationId: id, success: true }]);
    const steps = [...said(wire, [jsonCodec.encode([{ op: "welcome" }]), reply("-1"), reply("-2")], ["room:one", "room:two"])];
    expect(steps[0]).toContain('"token":"user-1"');
    expect(steps[1]).toContain('"channel":"room:two"');
    expect(steps.slice(2)).toEqual(["", "in"]);
  });

  test("comes back for what follows the last event it read", () => {
    expect(wire.remember?.(undefined, events(5, 3))).toEqual({ "room:one": { epoch: "E", seq: 7, eventId: "e7" } });
  });
});

describe("the wire of ws", () => {
  const { wire } = ws;

  test("tells an event by its head, and reads the rest", () => {
    expect(told(wire, `{"op":"event","channel":"room:one","type":"item:add","payload":${payloadOf(3)}}`)).toEqual({ identity: "event", marks: [mark(3)] });
    expect(told(wire, '{"op":"ack","id":17}')).toEqual({ identity: "own", acks: [17] });
    expect([...said(wire, ['{"op":"event","payload":{}}', '{"op":"joined"}'])].slice(1)).toEqual(["", "in"]);
  });
});

describe("the wire of Socket.IO", () => {
  const { wire } = socketIo;

  test("tells an event by its head, and reads the rest", () => {
    expect(told(wire, `42["event",${payloadOf(3)}]`)).toEqual({ identity: "event", marks: [mark(3)] });
    expect(told(wire, "4317[]")).toEqual({ identity: "own", acks: [17] });
    expect(told(wire, "2")).toEqual({ identity: "own", answer: "3" });
    expect(told(wire, '44{"message":"no"}')).toMatchObject({ identity: "own", problem: '44{"message":"no"}' });
  });

  test("is in when it has joined its rooms, or was in them before", () => {
    const open = '0{"sid":"a","pingInterval":25000}';
    expect([...said(wire, [open, '40{"sid":"a"}', "430[]"])]).toEqual(["", '40{"token":"user-1"}', '420["join",["room:one"]]', "in"]);
    const resume = [`40{"sid":"a","pid":"P"}`, `42["event",${payloadOf(3)},"offset-3"]`].reduce<unknown>((before, text) => wire.remember?.(before, text), undefined);
    expect(resume).toEqual({ pid: "P", offset: "offset-3" });
    const back = wire.join({ member: 1, channels: ["room:one"], token: "user-1", session: "s", resume });
    expect(back.next("")).toEqual({ done: false, value: [] });
    expect(back.next(open)).toEqual({ done: false, value: ['40{"token":"user-1","pid":"P","offset":"offset-3"}'] });
    expect(back.next('40{"sid":"b","pid":"P"}').done).toBe(true);
  });
});

describe("the wire of Centrifugo", () => {
  const { wire } = centrifugo;
  const push = (i: number): string => `{"push":{"channel":"room:one","pub":{"data":${payloadOf(i)},"offset":${i}}}}`;

  test("tells events by their head, alone and in lines", () => {
    expect(told(wire, push(3))).toMatchObject({ identity: "event", marks: [mark(3)] });
    const two = `${push(3)}\n${push(4)}`;
    const key = identity(wire, two);
    expect(key).toHaveProperty("key");
    for (const other of [`${push(3)}\n${push(5)}`, `${push(5)}\n${push(4)}`]) expect(identity(wire, other)).not.toEqual(key);
    expect(wire.read(two).marks).toEqual([mark(3), mark(4)]);
  });

  test("reads what may have an answer in it, in whichever line", () => {
    const answered = `${push(3)}\n{"id":17,"publish":{}}`;
    expect(told(wire, answered)).toMatchObject({ identity: "own", marks: [mark(3)], acks: [17] });
    expect(identity(wire, `${push(3)}\n${push(4)}`, 50)).toBe("own");
    expect(told(wire, "{}")).toMatchObject({ identity: "own", answer: "{}" });
    expect(told(wire, '{"id":17,"error":{"code":103,"message":"permission denied"}}')).toMatchObject({ identity: "own", problem: "103: permission denied" });
  });

  test("comes back for what follows the last event it read", () => {
    const [, subscription = ""] = [...said(wire, ['{"id":4294967295,"connect":{}}'])];
    const { id } = JSON.parse(subscription) as { readonly id: number };
    const texts = [`{"id":${id},"subscribe":{"epoch":"E","offset":2}}`, push(3)];
    const resume = texts.reduce<unknown>((before, text) => wire.remember?.(before, text), undefined);
    const back = wire.join({ member: 1, channels: ["room:one"], token: "user-1", session: "s", resume });
    back.next("");
    const { value } = back.next('{"id":4294967295,"connect":{}}');
    expect(JSON.parse(value?.[0] ?? "")).toMatchObject({ subscribe: { channel: "room:one", recover: true, epoch: "E", offset: 3 } });
  });
});
