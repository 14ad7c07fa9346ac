import fc from "fast-check";
import { channel, defineContract } from "@tutti/protocol";
import { describe, expect, it } from "vitest";
import { createClient } from "../src/index.js";
import { isNote, slowSchema } from "./support/contract.js";
import { FakeEnvironment, turns } from "./support/fake-environment.js";
import { at, event, FakeTransport } from "./support/fake-server.js";
import { outcome, Stage } from "./support/stage.js";

const note = (text: string) => ({ text });
/** What was published on the present link, in words. */
const sent = (stage: Stage): readonly string[] => stage.link.of("publish").map(({ n, settled, retry, payload }) => `${n}/${settled}${retry === true ? " again" : ""} ${(payload as { text: string }).text}`);

describe("publishing", () => {
  it("PUB-1: resolves with the position and the id that the ack names", async () => {
    const stage = new Stage().connect();
    const published = stage.board.publish("note:add", note("a"));
    stage.link.ack(stage.link.last("publish"), 7);
    expect(await outcome(published)).toEqual({ position: at(7), eventId: "public:1" });
  });

  it("PUB-2: resolves when the event arrives and the ack does not", async () => {
    const stage = new Stage().live();
    const published = stage.board.publish("note:add", note("a"));
    stage.link.events("board:1", 1, event("note:add", note("a"), "public:1"));
    expect(await outcome(published)).toEqual({ position: at(1), eventId: "public:1" });
    expect(stage.board.pending.getSnapshot()).toEqual([]);
    stage.reconnect();
    expect(stage.link.of("publish")).toHaveLength(0);
  });

  it("PUB-3: counts each channel by itself, and tells what is settled", () => {
    const stage = new Stage().connect();
    for (const text of ["a", "b", "c"]) void stage.board.publish("note:add", note(text));
    void stage.client.channel("feed:{id}", { id: "1" }).publish("item:add", note("x"));
    stage.link.ack(stage.link.of("publish")[0]!, 1);
    void stage.board.publish("note:add", note("d"));
    expect(sent(stage)).toEqual(["1/0 a", "2/0 b", "3/0 c", "1/0 x", "4/1 d"]);
  });

  it("PUB-3: OUT_OF_ORDER is answered by sending again from the lowest, at once and in order", () => {
    const stage = new Stage().connect();
    for (const text of ["a", "b", "c"]) void stage.board.publish("note:add", note(text));
    const [, second, third] = stage.link.of("publish");
    stage.link.refuse(second!, "OUT_OF_ORDER");
    stage.link.refuse(third!, "OUT_OF_ORDER");
    expect(sent(stage).slice(3)).toEqual(["1/0 again a", "2/0 again b", "3/0 again c"]);
  });

  it("PUB-3: a server that is never content with the order is not called in a loop", () => {
    const stage = new Stage().connect();
    void stage.board.publish("note:add", note("a"));
    for (let round = 0; round < 50; round++) stage.link.refuse(stage.link.last("publish"), "OUT_OF_ORDER");
    expect(stage.link.of("publish")).toHaveLength(2);
    stage.environment.pass(2_000);
    expect(stage.link.of("publish")).toHaveLength(3);
  });

  it("PUB-3: keeps the order of publishes whose schema takes its time", async () => {
    const { schema, release } = slowSchema(isNote);
    const contract = defineContract({ channels: { "slow:{id}": channel({ events: { "a:slow": schema, "b:slow": schema } }) } });
    const transport = new FakeTransport();
    const client = createClient({ url: "ws://server", contract, environment: new FakeEnvironment(), transport, lifecycle: { watch: () => () => {} } });
    client.connect();
    transport.link.open();
    transport.link.welcome();
    const slow = client.channel("slow:{id}", { id: "1" });
    const all = [slow.publish("a:slow", note("1")), slow.publish("b:slow", 5 as unknown as { text: string }), slow.publish("a:slow", note("3"))];
    await turns();
    expect(transport.link.of("publish")).toHaveLength(0);
    release();
    await turns(30);
    expect(transport.link.of("publish").map(({ n, payload }) => [n, payload])).toEqual([
      [1, note("1")],
      [2, note("3")],
    ]);
    expect(await outcome(all[1]!)).toBe("PAYLOAD_INVALID");
  });

  it("PUB-4: a final refusal rejects, and what follows goes on", async () => {
    const stage = new Stage().connect();
    const [first, second] = [stage.board.publish("note:add", note("a")), stage.board.publish("note:add", note("b"))];
    stage.link.refuse(stage.link.of("publish")[0]!, "FORBIDDEN");
    stage.link.ack(stage.link.of("publish")[1]!, 1);
    expect([await outcome(first), await outcome(second)]).toEqual(["FORBIDDEN", { position: at(1), eventId: "public:2" }]);
  });

  it("PUB-5: a refusal for now pauses the channel, and is sent again ahead of what follows", async () => {
    const stage = new Stage().connect();
    const all = ["a", "b", "c"].map((text) => stage.board.publish("note:add", note(text)));
    const [first, second] = stage.link.of("publish");
    stage.link.refuse(first!, "RATE_LIMITED", 3_000);
    stage.link.refuse(second!, "OUT_OF_ORDER");
    void stage.board.publish("note:add", note("d"));
    stage.environment.pass(2_999);
    expect(stage.link.of("publish")).toHaveLength(3);
    stage.environment.pass(1);
    expect(sent(stage).slice(3)).toEqual(["1/0 again a", "2/0 again b", "3/0 again c", "4/0 d"]);
    for (const [index, frame] of stage.link.of("publish").slice(3).entries()) stage.link.ack(frame, index + 1);
    expect(await Promise.all(all.map(outcome))).toHaveLength(3);
    expect(stage.client.pending.getSnapshot().count).toBe(0);
  });

  it("PUB-5: without a hint the pauses grow", () => {
    const stage = new Stage({ ackTimeoutMs: 1_000_000, heartbeatIntervalMs: 1_000_000 }).connect();
    void stage.board.publish("note:add", note("a"));
    for (const seconds of [1, 2, 4, 8, 10, 10]) {
      const count = stage.link.of("publish").length;
      stage.link.refuse(stage.link.last("publish"), "UNAVAILABLE");
      stage.environment.pass(seconds * 1_000 - 1);
      expect(stage.link.of("publish")).toHaveLength(count);
      stage.environment.pass(1);
      expect(stage.link.of("publish")).toHaveLength(count + 1);
    }
  });

  it("PUB-5: a pause of one channel does not hold up another", () => {
    const stage = new Stage().connect();
    void stage.board.publish("note:add", note("a"));
    stage.link.refuse(stage.link.last("publish"), "RATE_LIMITED", 3_000);
    void stage.client.channel("feed:{id}", { id: "1" }).publish("item:add", note("x"));
    expect(sent(stage)).toEqual(["1/0 a", "1/0 x"]);
  });

  it("QUE-4: when the user changed, what may have been published is unknown, the rest is not sent, and no count is given out again to a user who comes back", async () => {
    const stage = new Stage({ inFlightMax: 1 }).connect();
    const [first, second] = [stage.board.publish("note:add", note("a")), stage.board.publish("note:add", note("b"))];
    stage.link.cut();
    stage.environment.pass(1_000);
    stage.link.open();
    stage.link.welcome({ session: "another" });
    expect(await Promise.all([first, second].map(outcome))).toEqual(["OUTCOME_UNKNOWN", "USER_CHANGED"]);
    expect(sent(stage)).toEqual([]);
    const third = stage.board.publish("note:add", note("c"));
    expect(sent(stage)).toEqual(["3/2 c"]);
    stage.link.ack(stage.link.last("publish"), 1, "another");
    expect(await outcome(third)).toEqual({ position: at(1), eventId: "another:3" });
  });

  it("PUB-8: the queue is bounded by count and by bytes, and keeps what it has", async () => {
    const stage = new Stage({ queueCountMax: 2 });
    const kept = [stage.board.publish("note:add", note("a")), stage.board.publish("note:add", note("b"))];
    expect(await outcome(stage.board.publish("note:add", note("c")))).toBe("QUEUE_FULL");
    expect(stage.client.pending.getSnapshot().count).toBe(2);
    stage.connect();
    expect(sent(stage)).toEqual(["1/0 a", "2/0 b"]);
    stage.link.of("publish").forEach((frame, index) => stage.link.ack(frame, index + 1));
    expect(await Promise.all(kept.map(outcome))).toHaveLength(2);

    const small = new Stage({ queueBytesMax: 1_000 });
    void small.board.publish("note:add", note("x".repeat(700)));
    expect(await outcome(small.board.publish("note:add", note("y".repeat(300))))).toBe("QUEUE_FULL");
    expect(small.client.pending.getSnapshot()).toMatchObject({ count: 1 });
  });

  it("PUB-8: at most so many are under way", () => {
    const stage = new Stage({ inFlightMax: 2 }).connect();
    for (const text of ["a", "b", "c", "d"]) void stage.board.publish("note:add", note(text));
    expect(sent(stage)).toEqual(["1/0 a", "2/0 b"]);
    stage.link.ack(stage.link.of("publish")[0]!, 1);
    expect(sent(stage)).toEqual(["1/0 a", "2/0 b", "3/1 c"]);
  });

  it("PUB-9: what was made while offline goes out in order after the reconnect", () => {
    const stage = new Stage().connect();
    void stage.board.publish("note:add", note("a"));
    stage.link.cut();
    void stage.board.publish("note:add", note("b"));
    void stage.board.publish("note:add", note("c"));
    stage.environment.pass(1_000);
    stage.welcome();
    expect(sent(stage)).toEqual(["1/0 again a", "2/0 b", "3/0 c"]);
  });

  it("MESSAGE_TOO_LARGE: what the server would not take is never sent", async () => {
    const stage = new Stage();
    stage.client.connect();
    stage.link.open();
    stage.link.welcome({ limits: { messageBytesMax: 500 } });
    expect(await outcome(stage.board.publish("note:add", note("ä".repeat(200))))).toBe("MESSAGE_TOO_LARGE");
    expect(await outcome(stage.client.call("board:list", { text: "x".repeat(500) }))).toBe("MESSAGE_TOO_LARGE");
    void stage.board.publish("note:add", note("a"));
    expect(sent(stage)).toEqual(["1/0 a"]);
    expect(stage.status).toBe("connected");
  });

  it("CTR-3: a payload against its schema, and a type that the contract does not have, reject", async () => {
    const stage = new Stage().connect();
    expect(await outcome(stage.board.publish("note:add", { text: 5 } as unknown as { text: string }))).toBe("PAYLOAD_INVALID");
    expect(await outcome(stage.board.publish("note:drop" as "note:add", note("a")))).toBe("TYPE_UNKNOWN");
    expect(await outcome(stage.board.publish("constructor" as "note:add", note("a")))).toBe("TYPE_UNKNOWN");
    expect(stage.link.of("publish")).toHaveLength(0);
  });

  it("what the application changes after publishing is not sent", () => {
    const stage = new Stage();
    const payload = { text: "a" };
    void stage.board.publish("note:add", payload);
    payload.text = "b";
    stage.connect();
    expect(sent(stage)).toEqual(["1/0 a"]);
    expect(stage.board.state.getSnapshot()).toEqual(["a"]);
  });

  it("publishes that nobody looks at leave no unhandled rejection", async () => {
    const seen: unknown[] = [];
    const listener = (reason: unknown): void => void seen.push(reason);
    process.on("unhandledRejection", listener);
    const stage = new Stage({ queueCountMax: 1 }).connect();
    void stage.board.publish("note:add", note("a"));
    void stage.board.publish("note:add", note("b"));
    void stage.board.subscribe();
    void stage.board.presence.enter({ mood: "calm" });
    void stage.board.call("board:count", { x: 1 });
    await stage.client.close();
    await new Promise((resolve) => setTimeout(resolve, 5));
    process.off("unhandledRejection", listener);
    expect(seen).toEqual([]);
  });

  it("PUB-3: whatever is refused for now, repeated or cut, a log that counts gets every publish once and in order", () => {
    const act = fc.constantFrom("publish", "answer", "answer", "late", "cut", "wait");
    fc.assert(
      fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
        const stage = new Stage({ heartbeatIntervalMs: 10_000_000, ackTimeoutMs: 10_000_000, reconnectAttemptsMax: 1_000 }).connect();
        const log: string[] = [];
        let made = 0;
        let answered = 0;
        /** What a server does: appends n only after what was before it, and knows a repeat. */
        const answer = (isBusy: boolean): void => {
          const frame = stage.link.of("publish")[answered];
          if (frame === undefined) return;
          answered++;
          if (isBusy) return stage.link.refuse(frame, "UNAVAILABLE", 100);
          if (frame.n > Math.max(log.length, frame.settled) + 1) return stage.link.refuse(frame, "OUT_OF_ORDER");
          if (frame.n === log.length + 1) log.push((frame.payload as { text: string }).text);
          stage.link.ack(frame, frame.n);
        };
        const reconnect = (): void => {
          stage.link.cut();
          stage.client.connect();
          stage.welcome();
          answered = 0;
        };
        for (const name of acts) {
          if (name === "publish") void stage.board.publish("note:add", note(String(++made)));
          if (name === "answer") answer(false);
          if (name === "late") answer(true);
          if (name === "cut") reconnect();
          if (name === "wait") stage.environment.pass(5_000);
        }
        for (let round = 0; round < 1_000 && stage.client.pending.getSnapshot().count > 0; round++) {
          answer(false);
          stage.environment.pass(1_000);
        }
        expect(log).toEqual(Array.from({ length: made }, (_, index) => String(index + 1)));
        expect(stage.client.pending.getSnapshot()).toEqual({ count: 0, bytes: 0 });
      }),
      { numRuns: 200 },
    );
  });
});
