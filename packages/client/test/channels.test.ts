import { describe, expect, it } from "vitest";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { at, event } from "./support/fake-server.js";
import { outcome, Stage } from "./support/stage.js";

setFlagsFromString("--expose-gc");
const collect: unknown = runInNewContext("gc");

/** Lets the garbage collector take what nobody holds. */
async function forget(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 0));
  if (typeof collect !== "function") throw new TypeError("there is no garbage collector to call");
  collect();
}

const join = (stage: Stage): void => stage.link.say({ op: "joined", channel: "board:1", start: { position: at(0) } });
const note = event("note:add", { text: "a" }, "other:1");

describe("the channels of a client", () => {
  it("are the same objects for the same names", () => {
    const stage = new Stage();
    expect(stage.board).toBe(stage.client.channel("board:{id}", { id: "1" }));
    expect(stage.board).not.toBe(stage.client.channel("board:{id}", { id: "2" }));
  });

  it("SUB-5: a channel that somebody listens to is kept, though nobody holds it", async () => {
    const stage = new Stage().connect();
    const heard: string[] = [];
    stage.board.on("note:add", ({ payload }) => heard.push(payload.text));
    await forget();
    join(stage);
    stage.link.events("board:1", 1, note);
    expect(heard).toEqual(["a"]);
  });

  it("a subscribed channel, and one with something to send, are kept", async () => {
    const stage = new Stage();
    void stage.board.publish("note:add", { text: "mine" });
    await forget();
    expect(stage.board.pending.getSnapshot()).toHaveLength(1);
    stage.live();
    await forget();
    expect(stage.board.status.getSnapshot()).toEqual({ status: "live" });
  });

  it("a channel that nobody needs is forgotten", async () => {
    const stage = new Stage().connect();
    const held = new WeakRef(stage.board);
    stage.board.on("note:add", () => {})();
    await stage.board.unsubscribe();
    await forget();
    expect(held.deref()).toBeUndefined();
    expect(stage.board.status.getSnapshot()).toEqual({ status: "unsubscribed" });
  });

  it("listening changes nothing in what waits", async () => {
    const stage = new Stage();
    const before = stage.client.pending.getSnapshot();
    stage.board.on("note:add", () => {})();
    expect(stage.client.pending.getSnapshot()).toBe(before);
    expect(await outcome(stage.board.unsubscribe())).toBeUndefined();
  });
});
