import { memoryBroker, type AppendRequest, type Broker, type EventRun } from "@tutti/server";
import { describe, expect, it } from "vitest";
import { Participant, SimulatedBroker, SimulatedClock, calmBroker, type Landing } from "../src/index.js";

interface Setup {
  readonly clock: SimulatedClock;
  readonly node: Participant;
  readonly simulated: SimulatedBroker;
  readonly broker: Broker;
  readonly landings: Landing[];
}

function setup(): Setup {
  const clock = new SimulatedClock();
  const node = new Participant(clock, "node", 1);
  const participant = new Participant(clock, "broker", 1);
  const landings: Landing[] = [];
  const create = (): Broker => memoryBroker({ environment: participant });
  const simulated = new SimulatedBroker({ clock, participant, seed: 1, create, landed: (landing) => landings.push(landing) });
  return { clock, node, simulated, broker: simulated.connect(node), landings };
}

const append = (n: number): AppendRequest => ({
  event: { eventId: `e${n}`, type: "note", payload: n, timestamp: 0 },
  publisher: { session: "s", n, settled: 0 },
});

/** What became of a promise, once the clock has run. */
async function settled<T>(clock: SimulatedClock, promise: Promise<T>, ms = 100): Promise<T | string> {
  let result: T | string = "nothing";
  promise.then(
    (value) => (result = value),
    (error: { code: string }) => (result = error.code),
  );
  await clock.advance(ms);
  return result;
}

describe("the simulated broker", () => {
  it("refuses without effect, and loses answers with effect", async () => {
    const { clock, simulated, broker, landings } = setup();
    simulated.faults = { ...calmBroker, refused: 1 };
    expect(await settled(clock, broker.append("room:1", append(1)))).toBe("UNAVAILABLE");
    expect(landings).toEqual([]);
    simulated.faults = { ...calmBroker, answerLost: 1 };
    expect(await settled(clock, broker.append("room:1", append(1)))).toBe("UNAVAILABLE");
    expect(landings).toMatchObject([{ channel: "room:1", seq: 1 }]);
    simulated.faults = calmBroker;
    expect(await settled(clock, broker.append("room:1", append(1)))).toMatchObject({ outcome: "repeat", position: { seq: 1 } });
  });

  it("hangs for as long as it is told, then fails", async () => {
    const { clock, simulated, broker } = setup();
    simulated.faults = { ...calmBroker, hangs: 1, hangMs: 5000 };
    const answer = broker.head("room:1");
    expect(await settled(clock, answer, 4000)).toBe("nothing");
    expect(await settled(clock, answer, 2000)).toBe("UNAVAILABLE");
  });

  it("BRK-14 asks for several heads in one request, which has one fate", async () => {
    const { clock, simulated, broker } = setup();
    const channels = ["room:1", "room:2", "room:3"];
    simulated.faults = { ...calmBroker, answerLost: 0.5 };
    const answers = new Set<unknown>();
    for (let time = 0; time < 20; time++) {
      const answer = await settled(clock, broker.heads(channels));
      answers.add(typeof answer === "string" ? answer : answer.length);
    }
    expect(answers).toEqual(new Set(["UNAVAILABLE", 3]));
  });

  it("loses and repeats deliveries", async () => {
    const { clock, simulated, broker } = setup();
    const runs: EventRun[] = [];
    await settled(clock, broker.subscribe("room:1", (run) => runs.push(run)));
    simulated.faults = { ...calmBroker, deliveryLost: 1 };
    await settled(clock, broker.append("room:1", append(1)));
    simulated.faults = { ...calmBroker, deliveryRepeated: 1 };
    await settled(clock, broker.append("room:1", append(2)));
    expect(runs.flatMap(({ events }) => events.map(({ seq }) => seq))).toEqual([2, 2]);
  });

  it("begins a new epoch, where it can, once it is asked for what comes after an event that it lost when it was rolled back", async () => {
    const clock = new SimulatedClock();
    const participant = new Participant(clock, "broker", 1);
    const logOf = (epoch: string): Broker => memoryBroker({ environment: Object.assign(new Participant(clock, epoch, 1), { id: () => epoch }) });
    const simulated = new SimulatedBroker({ clock, participant, seed: 1, create: () => logOf("first"), beginEpoch: () => logOf("second") });
    const broker = simulated.connect(new Participant(clock, "node", 1));
    const heard: string[] = [];
    await settled(clock, broker.subscribe("room:1", ({ epoch }) => heard.push(epoch)));
    await settled(clock, broker.append("room:1", append(1)));
    simulated.stop();
    await simulated.start("rolled back");
    expect(await settled(clock, broker.read("room:1", { epoch: "first", seq: 0 }, { countMax: 1 }))).toMatchObject({ outcome: "page", head: { epoch: "first", seq: 0 } });
    expect(await settled(clock, broker.read("room:1", { epoch: "first", seq: 1 }, { countMax: 1 }))).toMatchObject({ outcome: "gap", head: { epoch: "second" } });
    await settled(clock, broker.append("room:1", append(1)));
    expect(heard).toEqual(["first", "second"]);
    // Nothing was lost since.
    expect(await settled(clock, broker.read("room:1", { epoch: "second", seq: 9 }, { countMax: 1 }))).toMatchObject({ outcome: "gap", head: { epoch: "second", seq: 1 } });
  });

  it("cuts one node off, one way or the other, and no other node", async () => {
    const { clock, node, simulated, broker, landings } = setup();
    const other = simulated.connect(new Participant(clock, "other", 1));
    const heard: EventRun[] = [];
    await settled(clock, broker.subscribe("room:1", (run) => heard.push(run)));
    const mendReturns = simulated.cut(node, { requests: "arrive", returns: "lost" });
    expect(await settled(clock, broker.append("room:1", append(1)), 5_000)).toBe("UNAVAILABLE");
    expect([landings.length, heard.length]).toEqual([1, 0]);
    mendReturns();
    const mendRequests = simulated.cut(node, { requests: "lost", returns: "arrive" });
    expect(await settled(clock, broker.append("room:1", append(2)), 5_000)).toBe("UNAVAILABLE");
    expect(await settled(clock, other.append("room:1", append(2)))).toMatchObject({ outcome: "appended" });
    expect([landings.length, heard.length]).toEqual([2, 1]);
    mendRequests();
    expect(await settled(clock, broker.append("room:1", append(3)))).toMatchObject({ outcome: "appended" });
  });

  it("lets late requests arrive when the link is mended, though their node gave up on them", async () => {
    const { clock, node, simulated, broker, landings } = setup();
    const mend = simulated.cut(node, { requests: "late", returns: "lost" });
    const asked = [broker.append("room:1", append(1)), broker.append("room:1", append(2))];
    expect(await Promise.all(asked.map((answer) => settled(clock, answer, 5_000)))).toEqual(["UNAVAILABLE", "UNAVAILABLE"]);
    expect(landings).toEqual([]);
    mend();
    await clock.advance(100);
    expect(landings.map(({ request }) => request.publisher?.n)).toEqual([1, 2]);
  });

  it("loses late requests where no network keeps them for so long", async () => {
    const { clock, node, simulated, broker, landings } = setup();
    const mend = simulated.cut(node, { requests: "late", returns: "lost" });
    expect(await settled(clock, broker.append("room:1", append(1)), 5_000)).toBe("UNAVAILABLE");
    simulated.loseHeld();
    mend();
    await clock.advance(100);
    expect(landings).toEqual([]);
    expect(await settled(clock, broker.append("room:1", append(1)))).toMatchObject({ outcome: "appended" });
  });

  it("wedges what a node has subscribed to: it asks and is answered, and hears by what it subscribes to later", async () => {
    const { clock, node, simulated, broker } = setup();
    const heard: string[] = [];
    await settled(clock, broker.subscribe("room:1", () => heard.push("wedged")));
    const mend = simulated.wedge(node);
    await settled(clock, broker.subscribe("room:1", () => heard.push("later")));
    expect(await settled(clock, broker.append("room:1", append(1)))).toMatchObject({ outcome: "appended" });
    expect(heard).toEqual(["later"]);
    mend();
    await settled(clock, broker.append("room:1", append(2)));
    expect(heard.toSorted()).toEqual(["later", "later", "wedged"]);
  });

  it("loses, repeats and delays broadcasts, and no events with them", async () => {
    const { clock, simulated, broker } = setup();
    const heard: string[] = [];
    const runs: EventRun[] = [];
    await settled(clock, broker.listen("nodes", (message) => heard.push(message)));
    await settled(clock, broker.subscribe("room:1", (run) => runs.push(run)));
    simulated.faults = { ...calmBroker, broadcastLost: 1 };
    await settled(clock, broker.broadcast("nodes", "lost"));
    await settled(clock, broker.append("room:1", append(1)));
    simulated.faults = { ...calmBroker, broadcastRepeated: 1 };
    await settled(clock, broker.broadcast("nodes", "twice"));
    simulated.faults = { ...calmBroker, broadcastLate: 1 };
    await settled(clock, broker.broadcast("nodes", "late"), 10);
    simulated.faults = calmBroker;
    await settled(clock, broker.broadcast("nodes", "last"), 5_000);
    expect(heard).toEqual(["twice", "twice", "last", "late"]);
    expect(runs).toHaveLength(1);
  });

  it("fails while it is down, and comes back with its data and its subscribers", async () => {
    const { clock, simulated, broker, landings } = setup();
    const runs: EventRun[] = [];
    await settled(clock, broker.subscribe("room:1", (run) => runs.push(run)));
    const first = await settled(clock, broker.append("room:1", append(1)));
    simulated.stop();
    expect(await settled(clock, broker.append("room:1", append(2)))).toBe("UNAVAILABLE");
    await simulated.start("kept");
    expect(await settled(clock, broker.append("room:1", append(2)))).toMatchObject({ outcome: "appended", position: { seq: 2 } });
    expect([landings.length, runs.length]).toEqual([2, 2]);
    expect(first).toMatchObject({ outcome: "appended" });
  });

  it("comes back as another when its data is lost: a new epoch, from the start", async () => {
    const { clock, simulated, broker, landings } = setup();
    const runs: EventRun[] = [];
    await settled(clock, broker.subscribe("room:1", (run) => runs.push(run)));
    await settled(clock, broker.append("room:1", append(1)));
    simulated.stop();
    await simulated.start("lost");
    await settled(clock, broker.append("room:1", append(1)));
    expect(landings.map(({ seq }) => seq)).toEqual([1, 1]);
    expect(landings[1]?.epoch).not.toBe(landings[0]?.epoch);
    expect(runs.map(({ epoch }) => epoch)).toEqual(landings.map(({ epoch }) => epoch));
  });

  it("goes on, rolled back, from the log that it is given then, and its subscribers hear what lands there", async () => {
    const { clock, simulated, broker, landings } = setup();
    const runs: EventRun[] = [];
    await settled(clock, broker.subscribe("room:1", (run) => runs.push(run)));
    await settled(clock, broker.append("room:1", append(1)));
    simulated.stop();
    await simulated.start("rolled back");
    expect(await settled(clock, broker.head("room:1"))).toMatchObject({ position: { seq: 0 } });
    await settled(clock, broker.append("room:1", append(1)));
    expect([landings.length, runs.length]).toEqual([2, 2]);
  });

  it("does what a node asked that died since, and answers nobody", async () => {
    const { clock, node, broker, landings } = setup();
    const answer = broker.append("room:1", append(1));
    node.stop();
    expect(await settled(clock, answer)).toBe("nothing");
    expect(landings).toHaveLength(1);
  });
});
