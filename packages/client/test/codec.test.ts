import { jsonCodec, limits } from "@tutti/protocol";
import { msgpackCodec } from "@tutti/protocol/msgpack";
import { describe, expect, it } from "vitest";
import { event } from "./support/fake-server.js";
import { outcome, Stage } from "./support/stage.js";

/** A client that speaks MessagePack with a server that does. */
function binary(): Stage {
  const stage = new Stage({ codec: msgpackCodec });
  stage.transport.codec = msgpackCodec;
  return stage;
}

/** A note with numbers that take four characters of JSON each, and nine bytes of MessagePack. */
const noteOf = (count: number) => ({ text: "", halves: Array<number>(count).fill(0.5) });

describe("the codec of a client", () => {
  it("HEL-9: offers JSON, unless another codec is given", () => {
    expect(new Stage().connect().transport.subprotocols).toEqual(["tutti.1.json"]);
    expect(binary().connect().transport.subprotocols).toEqual(["tutti.1.msgpack"]);
  });

  it("WIRE-9: writes and reads every message with it, in a buffer of a page too", () => {
    const stage = binary().connect().live();
    const heard: unknown[] = [];
    stage.board.on("note:add", ({ payload }) => heard.push(payload));
    const message = msgpackCodec.encode([{ op: "events", channel: "board:1", epoch: "e1", seq: 1, events: [event("note:add", { text: "a" }, "other:1")] }]) as Uint8Array;
    stage.link.raw(new Uint8Array(message).buffer);
    expect(heard).toEqual([{ text: "a" }]);
    expect(stage.link.messages.length).toBeGreaterThan(1);
    for (const sent of stage.link.messages) expect(sent).toBeInstanceOf(Uint8Array);
  });

  it("WIRE-9: takes text for JSON, and what is neither for a lost connection", () => {
    const stage = binary().connect();
    stage.link.raw(jsonCodec.encode([{ op: "pong" }]));
    expect(stage.status).toBe("connected");
    stage.link.raw(Uint8Array.of(0xc1));
    expect(stage.statuses.at(-1)).toBe("reconnecting CONNECTION_LOST");
  });

  it("WIRE-3: measures a publish as it will be sent", async () => {
    const most = Math.floor(limits.messageBytesMax / 9);
    const json = new Stage().connect();
    const stage = binary().connect();
    expect(await outcome(json.board.publish("note:add", noteOf(most)))).toBe("waits");
    expect(await outcome(stage.board.publish("note:add", noteOf(most - 100)))).toBe("waits");
    expect(await outcome(stage.board.publish("note:add", noteOf(most)))).toBe("MESSAGE_TOO_LARGE");
  });

  it("HEL-9: a server that has another codec alone ends it, and it does not call again", () => {
    const stage = binary();
    stage.client.connect();
    stage.link.open();
    stage.link.raw(jsonCodec.encode([{ op: "error", error: { code: "VERSION_UNSUPPORTED", message: "this server speaks tutti.1.json" } }]));
    stage.environment.pass(60_000);
    expect(stage.statuses).toEqual(["connecting", "disconnected VERSION_UNSUPPORTED"]);
    expect(stage.transport.links.length).toBe(1);
  });
});
