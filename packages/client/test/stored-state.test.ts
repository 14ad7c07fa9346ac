import { describe, expect, it } from "vitest";
import { memoryStorage, type StoredState } from "../src/index.js";
import { left, load, online } from "./support/browser.js";
import { at } from "./support/fake-server.js";
import { note, notes } from "./support/notes.js";
import { Stage } from "./support/stage.js";

/** A storage with a state of the board at position 3, whose page is gone. */
async function stored(changes: Partial<StoredState> = {}) {
  const storage = memoryStorage();
  const held = await storage.hold();
  const state = { position: { ...at(3), eventId: "other:3" }, version: 2, state: ["kept"], ...changes };
  await held.write([
    { kind: "begin", identity: { secret: "secret-".padEnd(44, "x"), publicId: "public", user: undefined } },
    { kind: "state", channel: "board:1", state },
  ]);
  storage.abandon();
  return storage;
}

describe("the state that an earlier page saw", () => {
  it("STA-5 STA-13 holds what this page was told of by an ack alone, and it is not shown twice", async () => {
    const storage = memoryStorage();
    const stage = await online(storage);
    void stage.board.subscribe();
    void stage.board.publish("note:add", { text: "mine" });
    await stage.stored();
    stage.link.ack(stage.link.last("publish"), 1);
    stage.page?.pageHide();
    await stage.stored();
    const held = await memoryStorage({ beside: storage }).hold();
    await held.write([{ kind: "state", channel: "board:1", state: { position: at(1), version: 2, state: ["mine"] } }]);
    await held.release();
    stage.page?.pageShow();
    await stage.stored();
    expect(stage.board.state.getSnapshot()).toEqual(["mine"]);
  });

  it("STA-13 is shown at once after a reload, and followed from its position", async () => {
    const storage = memoryStorage();
    const before = (await online(storage)).live();
    before.link.events("board:1", 1, ...notes(1, 3));
    await before.stored();
    storage.abandon();

    const after = new Stage({ storage });
    void after.board.subscribe();
    await after.stored();
    expect(after.board.state.getSnapshot()).toEqual(["note 1", "note 2", "note 3"]);
    after.welcome();
    expect(after.link.last("subscribe").since).toEqual({ ...at(3), eventId: "other:3" });
    after.link.answer(after.link.last("subscribe"), { position: at(3) });
    after.link.events("board:1", 4, note(4));
    expect(after.board.state.getSnapshot()).toEqual(["note 1", "note 2", "note 3", "note 4"]);
    expect(after.board.state.position()).toEqual(at(4));
  });

  it("STA-13 is shown with what waits on top, also where the channel is subscribed later", async () => {
    const storage = await stored();
    const stage = await load(storage);
    void stage.board.publish("note:add", { text: "mine" });
    await stage.stored();
    storage.abandon();
    const after = await load(storage);
    expect(after.board.state.getSnapshot()).toEqual(["mine"]);
    void after.board.subscribe();
    expect(after.board.state.getSnapshot()).toEqual(["kept", "mine"]);
  });

  it("STA-13 gives way to the server's where too much was missed", async () => {
    const stage = (await load(await stored())).live({ position: at(9), snapshot: { version: 2, state: ["new"] }, gap: { from: at(3), to: at(9) } });
    expect(stage.board.state.getSnapshot()).toEqual(["new"]);
  });

  it("STA-13 of an older version is migrated", async () => {
    const stage = (await load(await stored({ version: 1 }))).live({ position: at(3) });
    expect(stage.board.state.getSnapshot()).toEqual(["old kept"]);
    expect(stage.errors).toEqual([]);
  });

  it.each([{ version: 3 }, { version: 1, state: "not a list" }])("STA-13 is passed over where it cannot be read: %j", async (changes) => {
    const stage = await load(await stored(changes));
    void stage.board.subscribe();
    stage.welcome();
    expect(stage.link.last("subscribe").since).toBeUndefined();
    expect(stage.board.state.getSnapshot()).toEqual([]);
    expect(stage.errors).toEqual([]);
  });

  it("STA-13 is not kept while the server's state is one that this client cannot read", async () => {
    const storage = await stored();
    const stage = (await load(storage)).live({ position: at(5), snapshot: { version: 3, state: ["newer"] } });
    stage.link.events("board:1", 6, note(6));
    await stage.stored();
    expect((await left(storage))?.states.get("board:1")?.position).toEqual({ ...at(3), eventId: "other:3" });
  });

  it("QUE-4 is forgotten, and not shown any more, where the user is another", async () => {
    const storage = await stored();
    const stage = await load(storage);
    void stage.board.subscribe();
    expect(stage.board.state.getSnapshot()).toEqual(["kept"]);
    stage.link.open();
    stage.link.welcome({ session: "another" });
    expect(stage.board.state.getSnapshot()).toEqual([]);
    expect(stage.link.last("subscribe").since).toBeUndefined();
    await stage.stored();
    expect((await left(storage))?.states.size).toBe(0);
  });

  it("QUE-4 is not shown to another user who subscribes later", async () => {
    const stage = await load(await stored());
    stage.client.connect();
    stage.link.open();
    stage.link.welcome({ session: "another" });
    void stage.board.subscribe();
    expect(stage.board.state.getSnapshot()).toEqual([]);
    expect(stage.link.last("subscribe").since).toBeUndefined();
  });

  it("REC-9 a state has one start: neither rewind nor since are for a channel with one, nor both for any", async () => {
    const stage = new Stage().connect();
    const feed = stage.client.channel("feed:{id}", { id: "1" });
    const refused = [stage.board.subscribe({ since: at(1) }), stage.board.subscribe({ rewind: { count: 1 } }), feed.subscribe({ since: at(1), rewind: { count: 1 } })];
    for (const subscribed of refused) await expect(subscribed).rejects.toMatchObject({ code: "REWIND_UNSUPPORTED" });
    expect(stage.link.of("subscribe")).toEqual([]);
    void feed.subscribe({ rewind: { count: 5 } });
    expect(stage.link.last("subscribe")).toMatchObject({ channel: "feed:1", rewind: { count: 5 } });
  });
});
