import { channel, defineContract } from "@tutti/protocol";
import { describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { createClient } from "../src/index.js";
import { isNote, slowSchema } from "./support/contract.js";
import { FakeEnvironment, turns } from "./support/fake-environment.js";
import { at, event, FakeTransport } from "./support/fake-server.js";
import { outcome, Stage } from "./support/stage.js";

const note = (text: string) => ({ text });
/** What was published on the present link, in words: its n, what is settled, and its text. */
const sent = (stage: Stage): readonly string[] => stage.link.of("publish").map(({ n, settled, retry, payload }) => `${n}/${settled}${retry === true ? " again" : ""} ${Object(payload).text}`);

/** A client with a channel whose schema takes its time, and its server. */
function slowClient(options: { readonly queueCountMax?: number } = {}) {
  const { schema, release } = slowSchema(isNote);
  const contract = defineContract({ channels: { "slow:{id}": channel({ events: { "a:slow": schema, "b:fast": z.object({ text: z.string() }) } }) } });
  const transport = new FakeTransport();
  const client = createClient({ url: "ws://server", contract, environment: new FakeEnvironment(), transport, lifecycle: { watch: () => () => {} }, ...options });
  return { client, slow: client.channel("slow:{id}", { id: "1" }), transport, release };
}

describe("the outbound queue", () => {
  it("PUB-8 the bound is one for all channels, and what is settled makes room", async () => {
    const stage = new Stage({ queueCountMax: 2 }).connect();
    const feed = stage.client.channel("feed:{id}", { id: "1" });
    void stage.board.publish("note:add", note("a"));
    void feed.publish("item:add", note("b"));
    expect(await outcome(feed.publish("item:add", note("c")))).toBe("QUEUE_FULL");
    stage.link.refuse(stage.link.of("publish")[0]!, "FORBIDDEN");
    void feed.publish("item:add", note("d"));
    expect(sent(stage)).toEqual(["1/0 a", "1/0 b", "2/0 d"]);
    expect(await outcome(stage.board.publish("note:add", note("e")))).toBe("QUEUE_FULL");
  });

  it("PUB-8 the bytes of what is settled are free again, and none are lost in the count", async () => {
    const stage = new Stage({ queueBytesMax: 1_500 }).live();
    for (let round = 1; round <= 20; round++) {
      const published = stage.board.publish("note:add", note("x".repeat(1_000)));
      expect(stage.client.pending.getSnapshot().bytes).toBeGreaterThan(1_000);
      const frame = stage.link.last("publish");
      if (round % 3 === 0) stage.link.refuse(frame, "FORBIDDEN");
      else if (round % 3 === 1) stage.link.ack(frame, round);
      else stage.link.events("board:1", (stage.board.state.position()?.seq ?? 0) + 1, event("note:add", note("x"), `public:${frame.n}`));
      expect(await outcome(published)).not.toBe("waits");
    }
    expect(stage.client.pending.getSnapshot()).toEqual({ count: 0, bytes: 0 });
  });

  it("PUB-8 what is refused for want of room is not shown, counts no n, and those who watch the queue see it full", async () => {
    const stage = new Stage({ queueCountMax: 1 }).connect();
    void stage.board.publish("note:add", note("a"));
    expect(await outcome(stage.board.publish("note:add", note("b")))).toBe("QUEUE_FULL");
    expect(stage.board.state.getSnapshot()).toEqual(["a"]);
    stage.link.ack(stage.link.last("publish"), 1);
    void stage.board.publish("note:add", note("c"));
    expect(sent(stage)).toEqual(["1/0 a", "2/1 c"]);
  });

  it("PUB-8 what a slow schema holds counts too", async () => {
    const { client, slow, release } = slowClient({ queueCountMax: 2 });
    const kept = [slow.publish("a:slow", note("1")), slow.publish("a:slow", note("2"))];
    expect(await outcome(slow.publish("a:slow", note("3")))).toBe("QUEUE_FULL");
    release();
    expect(await Promise.all(kept.map(outcome))).toEqual(["waits", "waits"]);
    expect(client.pending.getSnapshot().count).toBe(2);
  });

  it("PUB-3 what has a fast schema waits for what was published before it", async () => {
    const { client, slow, transport, release } = slowClient();
    client.connect();
    transport.link.open();
    transport.link.welcome();
    void slow.publish("a:slow", note("1"));
    void slow.publish("b:fast", note("2"));
    await turns();
    expect(transport.link.of("publish")).toEqual([]);
    release();
    await turns(30);
    expect(transport.link.of("publish").map(({ n, payload }) => [n, payload])).toEqual([
      [1, note("1")],
      [2, note("2")],
    ]);
    void slow.publish("b:fast", note("3"));
    expect(transport.link.last("publish").payload).toEqual(note("3"));
  });

  it("CON-8 what a slow schema holds when the client is closed rejects, and is not kept", async () => {
    const { client, slow, release } = slowClient();
    const published = slow.publish("a:slow", note("1"));
    await client.close();
    release();
    expect(await outcome(published)).toBe("CLIENT_CLOSED");
    expect(client.pending.getSnapshot()).toEqual({ count: 0, bytes: 0 });
  });

  it("PUB-4 what a smaller server does not take any more is refused here, and what follows goes on", async () => {
    const stage = new Stage().connect();
    stage.link.cut();
    const all = ["a", "x".repeat(1_000), "c"].map((text) => stage.board.publish("note:add", note(text)));
    stage.environment.pass(1_000);
    stage.link.open();
    stage.link.welcome({ limits: { messageBytesMax: 500 } });
    expect(await outcome(all[1]!)).toBe("MESSAGE_TOO_LARGE");
    expect(stage.link.of("publish").map(({ n, payload }) => [n, payload])).toEqual([
      [1, note("a")],
      [3, note("c")],
    ]);
    expect(stage.status).toBe("connected");
  });

  it("PUB-5 new publishes do not overtake what waits in a pause, also over a reconnect", () => {
    const stage = new Stage().connect();
    void stage.board.publish("note:add", note("a"));
    stage.link.refuse(stage.link.last("publish"), "RATE_LIMITED", 20_000);
    void stage.board.publish("note:add", note("b"));
    stage.reconnect();
    void stage.board.publish("note:add", note("c"));
    stage.environment.pass(20_000);
    expect(sent(stage)).toEqual(["1/0 again a", "2/0 b", "3/0 c"]);
  });

  it("PUB-2 an answer of an earlier sending says nothing about the present one, unless it is final", async () => {
    const stage = new Stage().connect();
    const published = stage.board.publish("note:add", note("a"));
    const first = stage.link.last("publish");
    stage.link.refuse(first, "OUT_OF_ORDER");
    stage.link.refuse(first, "RATE_LIMITED", 60_000);
    expect(sent(stage)).toEqual(["1/0 a", "1/0 again a"]);
    stage.link.ack(stage.link.last("publish"), 1);
    expect(await outcome(published)).toEqual({ position: at(1), eventId: "public:1" });
  });

  it("PUB-9 an unanswered publish is sent again by the next connection, after the time for an answer", () => {
    const stage = new Stage({ ackTimeoutMs: 3_000 }).connect();
    void stage.board.publish("note:add", note("a"));
    stage.environment.pass(3_000);
    expect(stage.statuses.at(-1)).toBe("reconnecting CONNECTION_LOST");
    expect(stage.link.status).toBe("closed");
    stage.environment.pass(1_000);
    stage.welcome();
    expect(sent(stage)).toEqual(["1/0 again a"]);
  });

  it("PUB-9 those who watch a channel see what waits, and what may have been sent already", () => {
    const stage = new Stage({ inFlightMax: 1 });
    let changes = 0;
    stage.board.pending.subscribe(() => changes++);
    void stage.board.publish("note:add", note("a"));
    void stage.board.publish("note:add", note("b"));
    expect(stage.board.pending.getSnapshot()).toEqual([
      { n: 1, type: "note:add", payload: note("a"), attempted: false },
      { n: 2, type: "note:add", payload: note("b"), attempted: false },
    ]);
    expect(changes).toBe(2);
    stage.connect();
    expect(stage.board.pending.getSnapshot()).toMatchObject([
      { n: 1, attempted: true },
      { n: 2, attempted: false },
    ]);
    stage.link.ack(stage.link.last("publish"), 1);
    expect(stage.board.pending.getSnapshot()).toMatchObject([{ n: 2 }]);
  });

  it("QUE-5 what waited too long is not sent any more: unknown where it may have landed, expired where not", async () => {
    const stage = new Stage({ queueAgeMsMax: 60_000, inFlightMax: 1, reconnectDelaysMs: [100_000] }).connect();
    const [first, second] = ["a", "b"].map((text) => stage.board.publish("note:add", note(text)));
    stage.link.cut();
    stage.environment.pass(60_000);
    const third = stage.board.publish("note:add", note("c"));
    stage.environment.pass(40_000);
    stage.welcome();
    expect(await Promise.all([first!, second!].map(outcome))).toEqual(["OUTCOME_UNKNOWN", "QUEUE_EXPIRED"]);
    expect(sent(stage)).toEqual(["3/2 c"]);
    stage.link.ack(stage.link.last("publish"), 1);
    expect(await outcome(third)).toMatchObject({ eventId: "public:3" });
  });

  it("QUE-5 a clock that was set back makes nothing too old", async () => {
    const stage = new Stage({ queueAgeMsMax: 60_000 });
    const published = stage.board.publish("note:add", note("a"));
    vi.spyOn(stage.environment, "now").mockReturnValue(0);
    expect(sent(stage.connect())).toEqual(["1/0 a"]);
    expect(await outcome(published)).toBe("waits");
  });

  it("QUE-6 the oldest that was never sent makes room for the newest, and surfaces", async () => {
    const stage = new Stage({ queueCountMax: 3, inFlightMax: 1, queueFull: "drop-oldest" }).connect();
    const rollbacks: unknown[] = [];
    stage.client.on("rollback", ({ payload, error }) => rollbacks.push([payload, error.code]));
    const all = ["a", "b", "c", "d"].map((text) => stage.board.publish("note:add", note(text)));
    expect(await Promise.all(all.map(outcome))).toEqual(["waits", "QUEUE_FULL", "waits", "waits"]);
    expect(rollbacks).toEqual([[note("b"), "QUEUE_FULL"]]);
    expect(stage.board.state.getSnapshot()).toEqual(["a", "c", "d"]);
    stage.link.ack(stage.link.last("publish"), 1);
    expect(sent(stage)).toEqual(["1/0 a", "3/2 c"]);
  });

  it("QUE-6 where taking back would not make enough room, nothing is taken back", async () => {
    const stage = new Stage({ queueCountMax: 2, inFlightMax: 1, queueFull: "drop-oldest" }).connect();
    const feed = stage.client.channel("feed:{id}", { id: "1" });
    const kept = [feed.publish("item:add", note("a")), stage.board.publish("note:add", note("b"))];
    expect(await outcome(stage.board.publish("note:add", note("c")))).toBe("QUEUE_FULL");
    const small = new Stage({ queueBytesMax: 1_000, queueFull: "drop-oldest" });
    kept.push(small.board.publish("note:add", note("x".repeat(300))));
    expect(await outcome(small.board.publish("note:add", note("x".repeat(900))))).toBe("QUEUE_FULL");
    expect(await Promise.all(kept.map(outcome))).toEqual(["waits", "waits", "waits"]);
  });

  it("QUE-8 the totals tell of every change, and since when the oldest waits", () => {
    const stage = new Stage().connect();
    const feed = stage.client.channel("feed:{id}", { id: "1" });
    const told: unknown[] = [];
    stage.client.pending.subscribe(() => {
      const { count, oldestAt = 0 } = stage.client.pending.getSnapshot();
      told.push([count, oldestAt && oldestAt - stage.environment.startedAt]);
    });
    void stage.board.publish("note:add", note("a"));
    stage.environment.pass(1_000);
    void feed.publish("item:add", note("b"));
    const [first, second] = stage.link.of("publish");
    stage.link.ack(first!, 1);
    stage.link.ack(second!, 1);
    expect(told).toEqual([
      [1, 0],
      [2, 0],
      [1, 1_000],
      [0, 0],
    ]);
  });
});
