import { brokerContractSuite } from "@tutti/testkit";
import { memoryBroker } from "@tutti/server";
import { describe, expect, it } from "vitest";
import { ManualEnvironment } from "./support/manual-environment.js";

brokerContractSuite(
  "memory",
  async () => {
    const environment = new ManualEnvironment();
    const broker = memoryBroker({ environment });
    return { broker, elapse: (ms) => environment.advance(ms), dispose: () => broker.close() };
  },
  { describe, it, expect },
);

const event = (eventId: string) => ({ eventId, type: "note:add", payload: eventId, timestamp: 0 });

describe("what the memory broker remembers", () => {
  it("BRK-2 a publisher is known for deduplicationMs after its last publish", async () => {
    const environment = new ManualEnvironment();
    const broker = memoryBroker({ environment, deduplicationMs: 10_000 });
    const publish = (session: string, n: number) => broker.append("room:1", { event: event(`${session}:${n}`), publisher: { session, n, settled: n - 1 } });
    await publish("a", 1);
    for (let n = 1; n <= 5; n++) {
      await environment.advance(3_000);
      await publish("b", n);
    }
    expect(await publish("b", 1)).toMatchObject({ outcome: "repeat" });
    expect(await broker.lookup("room:1", { session: "a", n: 1, settled: 0 })).toBeUndefined();
  });

  it("BRK-8 no snapshot that names another event than the one that it has there", async () => {
    const broker = memoryBroker({ environment: new ManualEnvironment() });
    for (const id of ["a", "b", "c"]) await broker.append("room:1", { event: event(id) });
    const { epoch } = (await broker.head("room:1")).position;
    const saved = (seq: number, eventId: string) => broker.saveSnapshot("room:1", { position: { epoch, seq }, eventId, version: 1, state: eventId });
    expect(await saved(2, "lost")).toBe(false);
    expect(await broker.loadSnapshot("room:1")).toBeUndefined();
    expect(await saved(2, "b")).toBe(true);
    await broker.trim("room:1", { epoch, seq: 3 });
    // Which event that was it does not know any more.
    expect(await saved(3, "c")).toBe(true);
    expect(await broker.loadSnapshot("room:1")).toMatchObject({ position: { seq: 3 }, state: "c" });
  });

  it("BRK-4 a key is known for deduplicationMs, and the newest keysMax of them are", async () => {
    const environment = new ManualEnvironment();
    const broker = memoryBroker({ environment, deduplicationMs: 10_000, keysMax: 2 });
    const keyOf = (key: string) => ({ principal: "p", key });
    for (const key of ["a", "b", "c"]) await broker.append("room:1", { event: event(key), key: keyOf(key) });
    expect(await broker.lookup("room:1", keyOf("a"))).toBeUndefined();
    expect(await broker.lookup("room:1", keyOf("b"))).toMatchObject({ outcome: "repeat" });
    await environment.advance(12_000);
    await broker.append("room:1", { event: event("d") });
    expect(await broker.lookup("room:1", keyOf("c"))).toBeUndefined();
  });

  it("BRK-2 of a publisher's answers the newest answersMax; of older ones it does not know", async () => {
    const broker = memoryBroker({ environment: new ManualEnvironment(), answersMax: 3 });
    for (let n = 1; n <= 5; n++) await broker.append("room:1", { event: event(`${n}`), publisher: { session: "a", n, settled: 0 } });
    expect(await broker.lookup("room:1", { session: "a", n: 3, settled: 0 })).toMatchObject({ outcome: "repeat", position: { seq: 3 } });
    expect(await broker.lookup("room:1", { session: "a", n: 2, settled: 0 })).toEqual({ outcome: "unknown" });
  });

  it("LIM-5 at most channelsMax channels: one more is refused, those that are there go on, and asking for names costs nothing", async () => {
    const broker = memoryBroker({ environment: new ManualEnvironment(), channelsMax: 2 });
    for (const channel of ["room:1", "room:2"]) await broker.append(channel, { event: event("a") });
    const more = [broker.append("room:3", { event: event("b") }), broker.refuse("room:3", { session: "s", n: 1, settled: 0 }, { code: "FORBIDDEN", message: "" })];
    for (const each of [...more, broker.subscribe("room:3", () => {})]) await expect(each).rejects.toMatchObject({ code: "LIMIT_EXCEEDED" });
    expect(await broker.head("room:3")).toMatchObject({ position: { seq: 0 } });
    expect(await broker.append("room:2", { event: event("c") })).toMatchObject({ outcome: "appended", position: { seq: 2 } });
  });

  const overfull = async () => {
    const environment = new ManualEnvironment();
    const broker = memoryBroker({ environment, publishersMax: 2, deduplicationMs: 10_000 });
    const publish = (session: string, n: number) => broker.append("room:1", { event: event(`${session}:${n}`), publisher: { session, n, settled: n - 1 } });
    const fateOf = (session: string, n: number) => broker.lookup("room:1", { session, n, settled: n - 1 });
    for (const [session, n] of [["a", 1], ["b", 1], ["a", 2], ["c", 1]] as const) await publish(session, n);
    return { environment, publish, fateOf };
  };

  it("LIM-5 a log of the nodes themselves takes no channel's place", async () => {
    const broker = memoryBroker({ environment: new ManualEnvironment(), channelsMax: 1 });
    await broker.append("$own", { event: event("a") });
    await broker.append("room:1", { event: event("a") });
    await broker.append("$own", { event: event("a") });
    await expect(broker.append("room:2", { event: event("a") })).rejects.toMatchObject({ code: "LIMIT_EXCEEDED" });
    expect((await broker.head("$own")).position.seq).toBe(2);
  });

  it("LIM-5 of a channel's publishers the publishersMax that published last", async () => {
    const { fateOf } = await overfull();
    expect(await fateOf("a", 1)).toMatchObject({ outcome: "repeat", position: { seq: 1 } });
    expect(await fateOf("c", 1)).toMatchObject({ outcome: "repeat", position: { seq: 4 } });
  });

  it("LIM-5 who asks about a publish of a publisher that is not known gets no guess, while one may have been forgotten before its time", async () => {
    const { environment, publish, fateOf } = await overfull();
    expect(await fateOf("b", 1)).toEqual({ outcome: "unknown" });
    expect(await fateOf("a", 3)).toBeUndefined();
    expect(await publish("new", 1)).toMatchObject({ outcome: "appended" });
    await environment.advance(10_001);
    expect(await fateOf("b", 1)).toBeUndefined();
  });

  it("BRK-6 a channel that nobody wrote to is the same when it is asked for again", async () => {
    const broker = memoryBroker({ environment: new ManualEnvironment() });
    const first = await broker.head("room:1");
    const end = await broker.subscribe("room:1", () => {});
    await end();
    expect(await broker.head("room:1")).toEqual(first);
    expect((await broker.read("room:1", first.position, { countMax: 1 })).outcome).toBe("page");
  });

  it("BRK-6 nothing after its end: every request is UNAVAILABLE", async () => {
    const broker = memoryBroker();
    await broker.close();
    const asked = [
      broker.append("room:1", { event: event("1") }),
      broker.refuse("room:1", { session: "a", n: 1, settled: 0 }, { code: "X", message: "x" }),
      broker.lookup("room:1", { principal: "p", key: "k" }),
      broker.read("room:1", { epoch: "", seq: 0 }, { countMax: 1 }),
      broker.head("room:1"),
      broker.locate("room:1", { count: 1 }),
      broker.trim("room:1", { epoch: "", seq: 1 }),
      broker.subscribe("room:1", () => {}),
      broker.broadcast("topic", "message"),
      broker.listen("topic", () => {}),
      broker.loadSnapshot("room:1"),
    ];
    for (const each of asked) await expect(each).rejects.toMatchObject({ code: "UNAVAILABLE" });
  });
});
