import { describe, expect, it } from "vitest";
import { memoryStorage, type SessionStorage, type StoredPublish } from "../src/index.js";
import { at } from "./support/fake-server.js";
import { outcome, Stage } from "./support/stage.js";

const note = (text: string) => ({ text });
const sent = (stage: Stage) => stage.link.of("publish").map(({ n, retry = false, payload }) => ({ n, retry, text: Object(payload).text as unknown }));

describe("a session that is stored", () => {
  it("CON-7 has the same secret after a reload, and a session that is not stored another", () => {
    const storage = memoryStorage();
    const secretOf = (stage: Stage): string => stage.connect().link.last("hello").session;
    expect(secretOf(new Stage({ storage }))).toBe(secretOf(new Stage({ storage })));
    const [one, two] = [memoryStorage(), memoryStorage()];
    const first = new Stage({ storage: one });
    first.environment.id();
    expect(secretOf(first)).not.toBe(two.load()?.identity.secret);
  });

  it("PUB-2 counts on after a reload where nothing waited", () => {
    const storage = memoryStorage();
    const before = new Stage({ storage }).connect();
    void before.board.publish("note:add", note("a"));
    before.link.ack(before.link.last("publish"), 1);
    const after = new Stage({ storage }).connect();
    void after.board.publish("note:add", note("b"));
    expect(sent(after)).toEqual([{ n: 2, retry: false, text: "b" }]);
    expect(after.link.last("publish").settled).toBe(1);
  });

  it("PUB-7 attempted is stored before the first send", () => {
    const storage = memoryStorage();
    const puts: string[] = [];
    const stage: Stage = new Stage({
      storage: {
        ...storage,
        put(publish) {
          puts.push(`${publish.n} ${publish.attempted ? "attempted" : "waits"}, ${stage.transport.links.length === 0 ? 0 : stage.link.of("publish").length} sent`);
          storage.put(publish);
        },
      },
    });
    void stage.board.publish("note:add", note("a"));
    stage.connect();
    expect(puts[0]).toBe("1 waits, 0 sent");
    expect(puts.at(-1)).toBe("1 attempted, 0 sent");
    expect(stage.link.of("publish")).toHaveLength(1);
  });

  it("PUB-9 after a reload says retry of what was attempted alone, and sends all in order ahead of what is new", () => {
    const storage = memoryStorage();
    const before = new Stage({ storage, inFlightMax: 2 }).connect();
    for (const text of ["a", "b", "c"]) void before.board.publish("note:add", note(text));
    const after = new Stage({ storage });
    void after.board.publish("note:add", note("d"));
    after.connect();
    expect(sent(after)).toEqual([
      { n: 1, retry: true, text: "a" },
      { n: 2, retry: true, text: "b" },
      { n: 3, retry: false, text: "c" },
      { n: 4, retry: false, text: "d" },
    ]);
  });

  it("PUB-9 goes out after a reload though nobody asks for its channel", () => {
    const storage = memoryStorage();
    void new Stage({ storage }).board.publish("note:add", note("a"));
    expect(sent(new Stage({ storage }).connect())).toEqual([{ n: 1, retry: false, text: "a" }]);
  });

  it("PUB-8 a queue that was full before the reload is full after it, and has lost nothing", async () => {
    const storage = memoryStorage();
    const before = new Stage({ storage, queueCountMax: 3 });
    for (const text of ["a", "b", "c"]) void before.board.publish("note:add", note(text));
    const after = new Stage({ storage, queueCountMax: 3 });
    expect(after.client.pending.getSnapshot()).toEqual(before.client.pending.getSnapshot());
    expect(after.board.pending.getSnapshot().map(({ n }) => n)).toEqual([1, 2, 3]);
    expect(await outcome(after.board.publish("note:add", note("d")))).toBe("QUEUE_FULL");
  });

  it("STA-3 shows after a reload what waits, and settles it by its ack", () => {
    const storage = memoryStorage();
    const before = new Stage({ storage }).live();
    void before.board.publish("note:add", note("a"));
    const after = new Stage({ storage }).live();
    expect(after.board.state.getSnapshot()).toEqual(["a"]);
    after.link.ack(after.link.last("publish"), 1);
    expect(after.board.pending.getSnapshot()).toEqual([]);
    expect(storage.load()?.publishes).toEqual([]);
  });

  it("STA-4 a refusal after a reload rolls back, though nobody has its promise", () => {
    const storage = memoryStorage();
    void new Stage({ storage }).connect().board.publish("note:add", note("a"));
    const after = new Stage({ storage });
    const rollbacks: unknown[] = [];
    after.client.on("rollback", ({ payload, error }) => rollbacks.push([payload, error.code]));
    after.connect();
    after.link.refuse(after.link.last("publish"), "FORBIDDEN");
    expect(rollbacks).toEqual([[note("a"), "FORBIDDEN"]]);
    expect(storage.load()?.publishes).toEqual([]);
  });

  it("PUB-7 where the user is another after the reload, what was attempted is unknown, and the rest is stored anew", () => {
    const storage = memoryStorage();
    const before = new Stage({ storage, inFlightMax: 1 }).connect();
    for (const text of ["a", "b"]) void before.board.publish("note:add", note(text));
    const after = new Stage({ storage, inFlightMax: 1 });
    const lost: unknown[] = [];
    after.client.on("rollback", ({ payload, error }) => lost.push([payload, error.code]));
    after.client.connect();
    after.link.open();
    after.link.welcome({ session: "another" });
    expect(lost).toEqual([[note("a"), "OUTCOME_UNKNOWN"]]);
    expect(storage.load()).toMatchObject({ identity: { publicId: "another" }, publishes: [{ n: 1, payload: note("b"), attempted: true }] });
  });

  it("CON-8 close forgets what waited: it was rejected, and is not sent by the next page", async () => {
    const storage = memoryStorage();
    const stage = new Stage({ storage });
    void stage.board.publish("note:add", note("a"));
    await stage.client.close();
    expect(storage.load()?.publishes).toEqual([]);
  });

  it.each(["load", "begin", "put", "settle"] as const)("PUB-9 a storage whose %s throws surfaces, and the session goes on in memory", async (broken) => {
    const storage: SessionStorage = {
      ...memoryStorage(),
      [broken]() {
        throw new Error("quota");
      },
    };
    const stage = new Stage({ storage }).live();
    const published = stage.board.publish("note:add", note("a"));
    stage.link.ack(stage.link.last("publish"), 1);
    expect(await outcome(published)).toEqual({ position: at(1), eventId: "public:1" });
  });

  it("PUB-9 memoryStorage keeps the publishes of each channel in the order of their n", () => {
    const storage = memoryStorage();
    const publish = (channel: string, n: number, attempted = false): StoredPublish => ({ channel, n, type: "x", payload: n, timestamp: 0, attempted });
    expect(storage.load()).toBeUndefined();
    storage.begin({ secret: "s", publicId: undefined });
    for (const each of [publish("a:1", 1), publish("b:1", 1), publish("a:1", 2), publish("a:1", 1, true)]) storage.put(each);
    expect(storage.load()?.publishes.map(({ channel, n, attempted }) => [channel, n, attempted])).toEqual([
      ["a:1", 1, true],
      ["a:1", 2, false],
      ["b:1", 1, false],
    ]);
    storage.settle("a:1", 2);
    storage.settle("a:1", 7);
    expect(storage.load()).toEqual({ identity: { secret: "s", publicId: undefined }, counts: new Map([["a:1", 2], ["b:1", 1]]), publishes: [publish("a:1", 1, true), publish("b:1", 1)] });
    storage.begin({ secret: "s", publicId: "p" });
    expect(storage.load()).toEqual({ identity: { secret: "s", publicId: "p" }, counts: new Map(), publishes: [] });
  });
});
