import { simulate, type Participant } from "@tutti/testkit";
import type { Broker } from "@tutti/server";
import { describe, expect, it } from "vitest";
import { Bus } from "../src/bus/bus.js";
import { Nodes, type NodeChange } from "../src/bus/nodes.js";
import { defaultBounds } from "../src/options.js";

interface TestNode {
  readonly process: Participant;
  readonly bus: Bus;
  readonly nodes: Nodes;
  /** Who came and went, as `joined a` or `gone a: silent`. */
  readonly news: string[];
  readonly warnings: string[];
  /** What it broadcast, as kinds. */
  readonly told: string[];
}

/** Nodes without anything but each other. */
function neighbourhood(bounds: Partial<typeof defaultBounds> = {}) {
  const world = simulate();
  const broker = world.broker();
  const start = (name: string): TestNode => {
    const process = world.process(name);
    const told: string[] = [];
    const link = broker.connect(process);
    const watched: Broker = {
      ...link,
      broadcast: (topic, message) => {
        told.push(String(Object(JSON.parse(message)).message.kind));
        return link.broadcast(topic, message);
      },
    };
    const warnings: string[] = [];
    const complain = (message: string): void => void warnings.push(message);
    const log = { info: () => {}, warn: complain, error: complain };
    const bus = new Bus({ node: name, environment: process, broker: watched, log });
    const nodes = new Nodes({ bus, environment: process, bounds: { ...defaultBounds, ...bounds }, log, isShared: true });
    const news: string[] = [];
    nodes.watch((change) => news.push(spoken(change)));
    nodes.start();
    return { process, bus, nodes, news, warnings, told };
  };
  const pass = (ms: number): Promise<void> => world.clock.advance(ms);
  return { world, broker, start, pass };
}

function spoken(change: NodeChange): string {
  const { type, node } = change;
  return `${type} ${node.id}${type === "gone" ? `: ${change.why}` : ""}`;
}

const livesOf = ({ nodes }: TestNode): string[] => nodes.all().map(({ id, incarnation, self }) => `${id} ${incarnation}${self ? " self" : ""}`);

describe("a node", () => {
  it("NODE-1 knows those that were there before it and those that come after, within a few round trips", async () => {
    const { start, pass } = neighbourhood();
    const a = start("a");
    await pass(300);
    const b = start("b");
    await pass(50);
    expect(livesOf(a)).toEqual(["a 1 self", "b 1"]);
    expect(livesOf(b)).toEqual(["b 1 self", "a 1"]);
    expect([a.news, b.news]).toEqual([["joined b"], ["joined a"]]);
    expect([a.bus.isAlone, b.bus.isAlone, a.nodes.size]).toEqual([false, false, 2]);
  });

  it("NODE-1 sends a heartbeat a second, and nothing else, while it is alone", async () => {
    const { start, pass } = neighbourhood();
    const a = start("a");
    await pass(60_500);
    expect(a.bus.isAlone).toBe(true);
    expect(a.told).toEqual(Array(61).fill("node:heartbeat"));
  });

  it("NODE-1 is not there before it hears the others, and tries again where the broker does not listen", async () => {
    const { broker, start, pass } = neighbourhood();
    const a = start("a");
    await pass(100);
    broker.faults = { ...broker.faults, refused: 1 };
    const b = start("b");
    await pass(500);
    broker.faults = { ...broker.faults, refused: 0 };
    expect([b.told, b.warnings]).toEqual([[], ["other nodes cannot be heard"]]);
    await pass(1_000);
    expect(livesOf(a)).toEqual(["a 1 self", "b 1"]);
    expect(livesOf(b)).toEqual(["b 1 self", "a 1"]);
  });

  it("NODE-2 is taken for dead after more than 5 s of silence, and not before", async () => {
    const { start, pass } = neighbourhood();
    const [a, b] = [start("a"), start("b")];
    await pass(10_500);
    b.process.stop();
    await pass(4_500);
    expect(a.news).toEqual(["joined b"]);
    await pass(2_500);
    expect(a.news).toEqual(["joined b", "gone b: silent"]);
    expect(a.bus.isAlone).toBe(true);
  });

  it("NODE-2 that stood still takes nobody for dead who went on", async () => {
    const { start, pass } = neighbourhood();
    const [a, b] = [start("a"), start("b")];
    await pass(10_000);
    a.process.freeze(60_000);
    await pass(70_000);
    expect(a.news.filter((each) => each.startsWith("gone"))).toEqual([]);
    expect(livesOf(b)).toContain("a 2");
  });

  it("NODE-3 that stood still for long knows that it was taken for dead, and is there again in a new life", async () => {
    const { start, pass } = neighbourhood();
    const [a, b] = [start("a"), start("b")];
    await pass(10_000);
    a.process.freeze(30_000);
    await pass(29_000);
    expect(b.news).toEqual(["joined a", "gone a: silent"]);
    await pass(2_500);
    expect(b.news).toEqual(["joined a", "gone a: silent", "returned a"]);
    expect(b.told).not.toContain("node:dead");
    expect(livesOf(a)).toEqual(["a 2 self", "b 1"]);
    expect(livesOf(b)).toEqual(["b 1 self", "a 2"]);
  });

  it("NODE-3 that could not tell for long begins a new life, once", async () => {
    const { broker, start, pass } = neighbourhood();
    const [a, b] = [start("a"), start("b")];
    await pass(10_000);
    const mend = broker.cut(a.process, { requests: "lost", returns: "lost" });
    await pass(60_000);
    expect([a.news, b.news].map((news) => news.at(-1))).toEqual(["gone b: silent", "gone a: silent"]);
    mend();
    await pass(10_000);
    expect(b.told).not.toContain("node:dead");
    // To a it was b that had fallen silent.
    expect([livesOf(a), livesOf(b)]).toEqual([["a 2 self", "b 2"], ["b 2 self", "a 2"]]);
  });

  it.each([
    ["was not heard, though it could tell", "wedge"],
    ["was not heard, and could not hear", "cut"],
  ] as const)("NODE-3 that %s learns from those who took it for dead", async (_, how) => {
    const { broker, start, pass } = neighbourhood();
    const [a, b] = [start("a"), start("b")];
    await pass(10_000);
    // It is b that hears nothing of a; a's own heartbeats are taken all the time.
    const mend = how === "wedge" ? broker.wedge(b.process) : broker.cut(b.process, { requests: "arrive", returns: "lost" });
    await pass(10_000);
    expect([livesOf(b), livesOf(a)[0]]).toEqual([[expect.stringMatching(/^b \d self$/)], "a 1 self"]);
    mend();
    await pass(3_000);
    expect(livesOf(a)[0]).toBe("a 2 self");
    expect(livesOf(b)).toContain("a 2");
    expect(b.news.slice(-2)).toEqual(["gone a: silent", "returned a"]);
  });

  it("NODE-3 is told from what it said in an earlier life", async () => {
    const { broker, start, pass } = neighbourhood();
    const [a, b] = [start("a"), start("b")];
    await pass(10_000);
    const mend = broker.cut(a.process, { requests: "late", returns: "lost" });
    await pass(20_000);
    const goneAt = b.news.length;
    mend();
    await pass(5_000);
    // The heartbeats that lay in the buffer brought nothing back but the new life.
    expect(b.news.slice(goneAt)).toEqual(["returned a"]);
    expect([1, 2, 3].map((incarnation) => b.nodes.isCurrent({ node: "a", incarnation }))).toEqual([1, 2, 3].map((each) => each === a.bus.incarnation));
    expect(a.bus.incarnation).toBeGreaterThan(1);
    const { length } = b.news;
    await broker.log.broadcast("nodes", JSON.stringify({ node: "a", incarnation: 1, message: { kind: "node:heartbeat", since: 1 } }));
    await pass(100);
    expect(b.news).toHaveLength(length);
  });

  it("NODE-4 that stops is gone at once, whatever comes late from it", async () => {
    const { broker, start, pass } = neighbourhood();
    const [a, b] = [start("a"), start("b")];
    await pass(1_000);
    await Promise.all([a.nodes.stop(), pass(50)]);
    expect(b.news).toEqual(["joined a", "gone a: goodbye"]);
    const late = { node: "a", incarnation: 7, message: { kind: "node:heartbeat", since: 1 } };
    await broker.log.broadcast("nodes", JSON.stringify(late));
    await pass(100);
    expect(livesOf(b)).toEqual(["b 1 self"]);
    expect(a.told.at(-1)).toBe("node:goodbye");
  });

  it("NODE-4 stops where the broker is gone already", async () => {
    const { broker, start, pass } = neighbourhood();
    const a = start("a");
    await pass(1_000);
    broker.stop();
    let isStopped = false;
    void a.nodes.stop().then(() => (isStopped = true));
    await pass(20_000);
    expect(isStopped).toBe(true);
    const { length } = a.told;
    await pass(20_000);
    expect(a.told).toHaveLength(length);
  });

  it("NODE-6 knows so many others at most, and says that there are more", async () => {
    const { broker, start, pass } = neighbourhood({ nodesMax: 2 });
    const a = start("a");
    await pass(1_000);
    for (const node of ["x", "y", "z", "z"]) await broker.log.broadcast("nodes", JSON.stringify({ node, incarnation: 1, message: { kind: "node:heartbeat", since: 1 } }));
    await pass(100);
    expect(a.nodes.others().map(({ id }) => id)).toEqual(["x", "y"]);
    expect(a.warnings).toEqual(["there are more nodes than nodesMax: some are not heard"]);
  });

  it("NODE-6 is not made to count by a stranger who tells it that another life of it ended", async () => {
    const { broker, start, pass } = neighbourhood();
    const a = start("a");
    await pass(1_000);
    for (const incarnation of [0, 2, 2 ** 50]) await broker.log.broadcast("node:a", JSON.stringify({ node: "x", incarnation: 1, message: { kind: "node:dead", incarnation } }));
    await pass(3_000);
    expect(a.bus.incarnation).toBe(1);
  });
});
