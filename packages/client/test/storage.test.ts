import { describe, expect, it } from "vitest";
import { memoryStorage, storedSessions, type HeldSession } from "../src/index.js";
import { flawed, left, load, online } from "./support/browser.js";
import { at } from "./support/fake-server.js";
import { note as noteAt } from "./support/notes.js";
import { outcome, Stage } from "./support/stage.js";

const note = (text: string) => ({ text });
const sent = (stage: Stage) => stage.link.of("publish").map(({ n, retry = false, payload }) => ({ n, retry, text: Object(payload).text as unknown }));

describe("a session that is stored", () => {
  it("QUE-2 has the same secret after a reload, and a session that is not stored another", async () => {
    const storage = memoryStorage();
    const secretOf = (stage: Stage): string => stage.connect().link.last("hello").session;
    const secret = secretOf(await load(storage));
    storage.abandon();
    expect(secretOf(await load(storage))).toBe(secret);
    const other = new Stage({ storage: memoryStorage() });
    other.environment.id();
    expect(secretOf(await other.stored())).not.toBe(secret);
  });

  it("QUE-2 the hello waits until it is known which session this is", async () => {
    const stage = new Stage({ storage: memoryStorage() });
    stage.client.connect();
    expect(stage.transport.links).toEqual([]);
    await stage.stored();
    expect(stage.welcome().link.last("hello").session).not.toBe("");
    expect(stage.status).toBe("connected");
  });

  it("QUE-2 counts on after a reload where nothing waited", async () => {
    const storage = memoryStorage();
    const before = await online(storage);
    void before.board.publish("note:add", note("a"));
    await before.stored();
    before.link.ack(before.link.last("publish"), 1);
    await before.stored();
    storage.abandon();
    const after = await online(storage);
    void after.board.publish("note:add", note("b"));
    await after.stored();
    expect(sent(after)).toEqual([{ n: 2, retry: false, text: "b" }]);
    expect(after.link.last("publish").settled).toBe(1);
  });

  it("QUE-1 a publish is stored before it is sent, as attempted: once where it can be sent, else first as one that waits", async () => {
    const puts: string[] = [];
    const storage = memoryStorage();
    const stage: Stage = new Stage({
      storage: storedSessions({
        async hold(): Promise<HeldSession> {
          const held = await storage.hold();
          return {
            ...held,
            async write(changes) {
              await held.write(changes);
              const count = stage.transport.links.length === 0 ? 0 : stage.link.of("publish").length;
              for (const change of changes) if (change.kind === "put") puts.push(`${change.publish.n} ${change.publish.attempted ? "attempted" : "waits"}, ${count} sent`);
            },
          };
        },
      }),
    });
    void (await stage.stored()).board.publish("note:add", note("a"));
    expect(puts).toEqual([]);
    await stage.stored();
    expect(puts).toEqual(["1 waits, 0 sent"]);
    await stage.connect().stored();
    expect(puts.splice(0)).toEqual(["1 waits, 0 sent", "1 attempted, 0 sent"]);
    void stage.board.publish("note:add", note("b"));
    expect(stage.link.of("publish")).toHaveLength(1);
    await stage.stored();
    expect(puts).toEqual(["2 attempted, 1 sent"]);
    expect(stage.link.of("publish")).toHaveLength(2);
  });

  it("QUE-2 after a reload says retry of what was attempted alone, and sends all in order ahead of what is new", async () => {
    const storage = memoryStorage();
    const before = await online(storage, { inFlightMax: 2 });
    for (const text of ["a", "b", "c"]) void before.board.publish("note:add", note(text));
    await before.stored();
    storage.abandon();
    const after = new Stage({ storage });
    void after.board.publish("note:add", note("d"));
    expect(after.board.state.getSnapshot()).toEqual(["d"]);
    expect(after.client.pending.getSnapshot().count).toBe(1);
    await after.stored();
    expect(after.board.state.getSnapshot()).toEqual(["a", "b", "c", "d"]);
    await after.connect().stored();
    expect(sent(after)).toEqual([
      { n: 1, retry: true, text: "a" },
      { n: 2, retry: true, text: "b" },
      { n: 3, retry: false, text: "c" },
      { n: 4, retry: false, text: "d" },
    ]);
  });

  it("QUE-2 goes out after a reload though nobody asks for its channel", async () => {
    const storage = memoryStorage();
    const before = await load(storage);
    void before.board.publish("note:add", note("a"));
    await before.stored();
    storage.abandon();
    expect(sent(await online(storage))).toEqual([{ n: 1, retry: false, text: "a" }]);
  });

  it("PUB-8 a queue that was full before the reload is full after it, and has lost nothing", async () => {
    const storage = memoryStorage();
    const before = await load(storage, { queueCountMax: 3 });
    for (const text of ["a", "b", "c"]) void before.board.publish("note:add", note(text));
    await before.stored();
    storage.abandon();
    const after = await load(storage, { queueCountMax: 3 });
    expect(after.client.pending.getSnapshot()).toEqual(before.client.pending.getSnapshot());
    expect(after.board.pending.getSnapshot().map(({ n }) => n)).toEqual([1, 2, 3]);
    expect(await outcome(after.board.publish("note:add", note("d")))).toBe("QUEUE_FULL");
  });

  it("QUE-2 shows after a reload what waits, and settles it by its ack", async () => {
    const storage = memoryStorage();
    const before = await load(storage);
    void before.board.publish("note:add", note("a"));
    await before.stored();
    storage.abandon();
    const after = (await online(storage)).live();
    expect(after.board.state.getSnapshot()).toEqual(["a"]);
    after.link.ack(after.link.last("publish"), 1);
    expect(after.board.pending.getSnapshot()).toEqual([]);
    await after.stored();
    expect((await left(storage))?.publishes).toEqual([]);
  });

  it("STA-4 a refusal after a reload rolls back, though nobody has its promise", async () => {
    const storage = memoryStorage();
    const before = await online(storage);
    void before.board.publish("note:add", note("a"));
    await before.stored();
    storage.abandon();
    const after = await load(storage);
    const rollbacks: unknown[] = [];
    after.client.on("rollback", ({ payload, error }) => rollbacks.push([payload, error.code]));
    after.connect();
    after.link.refuse(after.link.last("publish"), "FORBIDDEN");
    expect(rollbacks).toEqual([[note("a"), "FORBIDDEN"]]);
    await after.stored();
    expect((await left(storage))?.publishes).toEqual([]);
  });

  it("QUE-4 where the user is another after the reload, nothing of what waited is sent, and nothing of it stays stored", async () => {
    const storage = memoryStorage();
    const before = await online(storage, { inFlightMax: 1 });
    for (const text of ["a", "b"]) void before.board.publish("note:add", note(text));
    await before.stored();
    storage.abandon();
    const after = await load(storage, { inFlightMax: 1 });
    const lost: unknown[] = [];
    after.client.on("rollback", ({ payload, error }) => lost.push([payload, error.code]));
    after.client.connect();
    after.link.open();
    after.link.welcome({ session: "another" });
    expect(lost).toEqual([
      [note("a"), "OUTCOME_UNKNOWN"],
      [note("b"), "USER_CHANGED"],
    ]);
    void after.board.publish("note:add", note("c"));
    await after.stored();
    expect(sent(after)).toEqual([{ n: 3, retry: false, text: "c" }]);
    expect(await left(storage)).toMatchObject({ identity: { publicId: "another" }, publishes: [{ n: 3, payload: note("c"), attempted: true }] });
  });

  it("CON-8 close forgets what waited: it was rejected, and is not sent by the next page", async () => {
    const storage = memoryStorage();
    const stage = await load(storage);
    void stage.board.publish("note:add", note("a"));
    await stage.stored();
    await stage.client.close();
    await stage.stored();
    expect((await left(storage))?.publishes).toEqual([]);
  });

  it.each(["hold", "begin", "identity"] as const)("QUE-7 a storage whose %s fails surfaces, and the session goes on in memory", async (broken) => {
    const { storage, written } = flawed(broken);
    const stage = (await online(storage)).live();
    expect(stage.errors).toEqual(["STORAGE_FAILED"]);
    written.length = 0;
    const published = stage.board.publish("note:add", note("a"));
    stage.link.ack(stage.link.last("publish"), 1);
    expect(await outcome(published)).toEqual({ position: at(1), eventId: "public:1" });
    expect(written).toEqual([]);
  });

  it("QUE-7 what cannot be stored is not sent, is taken back, and surfaces", async () => {
    const { storage } = flawed("put");
    const stage = (await online(storage)).live();
    const published = stage.board.publish("note:add", note("a"));
    expect(await outcome(published)).toBe("STORAGE_FAILED");
    expect(stage.link.of("publish")).toEqual([]);
    expect(stage.board.state.getSnapshot()).toEqual([]);
    expect(stage.client.pending.getSnapshot().count).toBe(0);
    expect(stage.errors).toEqual(["STORAGE_FAILED"]);
  });

  it("QUE-7 what is settled and cannot be forgotten surfaces, and harms nobody", async () => {
    const { storage } = flawed("settle");
    const stage = (await online(storage)).live();
    const published = stage.board.publish("note:add", note("a"));
    await stage.stored();
    stage.link.ack(stage.link.last("publish"), 1);
    expect(await outcome(published)).toEqual({ position: at(1), eventId: "public:1" });
    expect(stage.errors).toEqual(["STORAGE_FAILED"]);
  });

  it("QUE-7 what is stored and cannot be marked as attempted waits, and goes out later", async () => {
    const { storage, flaw } = flawed("put");
    flaw.isOn = false;
    const stage = await load(storage);
    const published = stage.board.publish("note:add", note("a"));
    await stage.stored();
    flaw.isOn = true;
    await stage.connect().stored();
    expect(stage.errors).toEqual(["STORAGE_FAILED"]);
    stage.environment.pass(1_000);
    await stage.stored();
    expect(stage.errors).toEqual(["STORAGE_FAILED", "STORAGE_FAILED"]);
    expect(await outcome(published)).toBe("waits");
    expect(stage.link.of("publish")).toEqual([]);
    flaw.isOn = false;
    stage.environment.pass(2_000);
    await stage.stored();
    expect(sent(stage)).toEqual([{ n: 1, retry: false, text: "a" }]);
  });

  it("QUE-7 one that cannot be stored does not hold up those behind it", async () => {
    const { storage, flaw } = flawed("put");
    const stage = (await online(storage)).live();
    const lost = stage.board.publish("note:add", note("a"));
    flaw.isOn = false;
    void stage.board.publish("note:add", note("b"));
    expect(await outcome(lost)).toBe("STORAGE_FAILED");
    expect(sent(stage)).toEqual([{ n: 2, retry: false, text: "b" }]);
    expect(stage.link.last("publish").settled).toBe(1);
  });

  it("QUE-2 what waited before the first welcome keeps its number, and is stored under the name that the welcome gives", async () => {
    const storage = memoryStorage();
    const stage = await load(storage);
    void stage.board.publish("note:add", note("a"));
    await stage.connect().stored();
    expect(sent(stage)).toEqual([{ n: 1, retry: false, text: "a" }]);
    expect(await left(storage)).toMatchObject({ identity: { publicId: "public" }, publishes: [{ n: 1, attempted: true }], counts: new Map([["board:1", 1]]) });
  });

  it("QUE-3 a page that goes away lets its session go, and one that comes back has it again, with all promises", async () => {
    const storage = memoryStorage();
    const stage = await online(storage);
    const published = stage.board.publish("note:add", note("a"));
    await stage.stored();
    stage.page?.pageHide();
    expect((await storage.hold()).stored?.publishes).toHaveLength(1);
    storage.abandon();
    stage.page?.pageShow();
    await stage.stored();
    await stage.welcome().stored();
    expect(sent(stage)).toEqual([{ n: 1, retry: true, text: "a" }]);
    expect(stage.client.pending.getSnapshot().count).toBe(1);
    stage.link.ack(stage.link.last("publish"), 1);
    expect(await outcome(published)).toEqual({ position: at(1), eventId: "public:1" });
  });

  it("QUE-3 a page that comes back and finds its session taken goes on as another: what it had stored is unknown, the rest is sent", async () => {
    const storage = memoryStorage();
    const stage = await online(storage);
    const rollbacks: string[] = [];
    stage.client.on("rollback", ({ error }) => rollbacks.push(error.code));
    const published = stage.board.publish("note:add", note("a"));
    await stage.stored();
    const before = stage.link.last("hello").session;
    stage.page?.pageHide();
    const late = stage.board.publish("note:add", note("b"));
    await memoryStorage({ beside: storage }).hold();
    stage.page?.pageShow();
    await stage.stored();
    stage.link.open();
    stage.link.welcome({ session: "anew" });
    await stage.stored();
    expect(stage.link.last("hello").session).not.toBe(before);
    expect(await outcome(published)).toBe("OUTCOME_UNKNOWN");
    expect(rollbacks).toEqual(["OUTCOME_UNKNOWN"]);
    expect(sent(stage)).toEqual([{ n: 1, retry: false, text: "b" }]);
    stage.link.ack(stage.link.last("publish"), 1, "anew");
    expect(await outcome(late)).toEqual({ position: at(1), eventId: "anew:1" });
    expect(stage.client.pending.getSnapshot()).toEqual({ count: 0, bytes: 0 });
  });

  it("QUE-3 a page that comes back as another session takes none of that one's publishes for its own", async () => {
    const storage = memoryStorage();
    const stage = await online(storage);
    const own = stage.board.publish("note:add", note("own"));
    await stage.stored();
    stage.page?.pageHide();
    const tabs = [memoryStorage({ beside: storage }), memoryStorage({ beside: storage })];
    await tabs[0]!.hold();
    const other = await tabs[1]!.hold();
    const theirs = { channel: "board:1", n: 1, type: "note:add", payload: note("theirs"), timestamp: stage.environment.now(), attempted: false };
    const identity = { secret: "other-".padEnd(44, "x"), publicId: undefined, user: undefined };
    await other.write([
      { kind: "begin", identity },
      { kind: "put", publish: theirs },
    ]);
    await other.release();
    stage.page?.pageShow();
    await stage.stored();
    await stage.welcome().stored();
    expect(await outcome(own)).toBe("OUTCOME_UNKNOWN");
    expect(sent(stage)).toEqual([{ n: 1, retry: false, text: "theirs" }]);
  });

  it("QUE-3 a page that comes back and finds some of its queue settled by another does not send that again", async () => {
    const storage = memoryStorage();
    const stage = await online(storage);
    const both = ["a", "b"].map((text) => stage.board.publish("note:add", note(text)));
    await stage.stored();
    stage.page?.pageHide();
    const other = await memoryStorage({ beside: storage }).hold();
    await other.write([{ kind: "settle", channel: "board:1", n: 1 }]);
    await other.release();
    stage.page?.pageShow();
    await stage.stored();
    stage.welcome();
    expect(await Promise.all(both.map(outcome))).toEqual(["OUTCOME_UNKNOWN", "waits"]);
    expect(sent(stage)).toEqual([{ n: 2, retry: true, text: "b" }]);
    expect(stage.board.state.getSnapshot()).toEqual(["b"]);
  });

  it("QUE-3 a session that is found after the page went away is let go again", async () => {
    const storage = memoryStorage();
    await online(storage);
    storage.abandon();
    const stage = new Stage({ storage });
    stage.client.connect();
    stage.page?.pageHide();
    await stage.stored();
    const next = await storage.hold();
    expect(next.stored?.identity.publicId).toBe("public");
    await next.release();
    stage.page?.pageShow();
    await stage.stored();
    expect(stage.welcome().status).toBe("connected");
  });

  it("QUE-4 what another owner left is cleared without a connection, before it is shown, and is not sent under the name that it had", async () => {
    const storage = memoryStorage();
    const before = (await online(storage, { owner: "ada" })).live();
    before.link.events("board:1", 1, noteAt(1));
    void before.board.publish("note:add", note("a"));
    await before.stored();
    const secret = before.link.last("hello").session;
    storage.abandon();

    const guest = new Stage({ storage, owner: "guest" });
    const lost: unknown[] = [];
    guest.client.on("rollback", ({ payload, error }) => lost.push([payload, error.code]));
    void guest.board.publish("note:add", note("b"));
    await guest.stored();
    void guest.board.subscribe();
    expect(lost).toEqual([[note("a"), "OUTCOME_UNKNOWN"]]);
    expect(guest.board.state.getSnapshot()).toEqual(["b"]);
    await guest.stored();
    storage.abandon();

    const after = new Stage({ storage, owner: "ada" });
    after.environment.id();
    await after.stored();
    await after.connect().stored();
    expect(after.link.last("hello").session).not.toBe(secret);
    expect(after.link.of("publish")).toEqual([]);
    expect(after.client.pending.getSnapshot().count).toBe(0);
  });

  it("QUE-2 what the same owner left is as it was", async () => {
    const storage = memoryStorage();
    const before = await load(storage, { owner: "ada" });
    void before.board.publish("note:add", note("a"));
    await before.stored();
    storage.abandon();
    expect(sent(await online(storage, { owner: "ada" }))).toEqual([{ n: 1, retry: false, text: "a" }]);
    storage.abandon();
    expect(sent(await online(storage, { owner: "ada" }))).toEqual([{ n: 1, retry: true, text: "a" }]);
  });
});
