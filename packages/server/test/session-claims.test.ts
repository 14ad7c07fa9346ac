import { describe, expect, it } from "vitest";
import { memoryBroker, silentLog, type Broker } from "@tutti/server";
import { Bus } from "../src/bus/bus.js";
import type { Connection } from "../src/connections/connection.js";
import type { NodeChange, Nodes } from "../src/bus/nodes.js";
import { SessionClaims } from "../src/sessions/session-claims.js";
import { Sessions } from "../src/sessions/sessions.js";
import { FaultyBroker } from "./support/faulty-broker.js";
import { ManualEnvironment } from "./support/manual-environment.js";

const session = "s".repeat(22);
const SILENCE_MS = 35_000;

/** How a connection was ended. */
type Ending = "replaced" | "moved";

/** What claims know of a connection. */
class FakeConnection {
  ending: Ending | undefined;
  requests: object | undefined;
  openedAt: number | undefined;
  provesOrder = true;
  readonly id: string;
  readonly claim: number;
  readonly #sessions: Sessions;
  #leave = (): void => {};

  constructor(id: string, claim: number, sessions: Sessions) {
    this.id = id;
    this.claim = claim;
    this.#sessions = sessions;
  }

  /** It says hello. */
  open(claims: SessionClaims, openedAt: number, of = session): void {
    this.requests = { caller: { session: of } };
    this.openedAt = openedAt;
    // Claims ask it for nothing else.
    const whole = this as unknown as Connection;
    const caller = { session: of, user: undefined };
    this.#sessions.add(whole, caller);
    this.#leave = () => this.#sessions.remove(whole, caller);
    claims.tell(of, this);
  }

  replaced({ isProven }: { readonly isProven: boolean }): void {
    if (this.ending !== undefined) throw new Error(`${this.id} ended twice`);
    this.ending = isProven ? "replaced" : "moved";
    this.#leave();
  }
}

/** A node with its own wall clock. */
class FakeNode {
  readonly bus: Bus;
  readonly claims: SessionClaims;
  readonly sessions = new Sessions();
  /** Another node comes to be known. */
  meet = (_change: NodeChange): void => {};
  readonly #environment: ManualEnvironment;
  readonly #name: string;
  #count = 0;

  constructor(name: string, environment: ManualEnvironment, broker: Broker, aheadMs = 0) {
    this.#name = name;
    this.#environment = environment;
    this.bus = new Bus({ node: name, environment, broker, log: silentLog });
    this.bus.isAlone = false;
    const clock = { now: () => environment.now() + aheadMs, defer: (task: () => void) => environment.defer(task) };
    const nodes: Pick<Nodes, "hear" | "watch"> = {
      hear: (listener) => {
        for (const topic of ["nodes", `node:${name}`] as const) void this.bus.hear(topic, listener);
        return () => {};
      },
      watch: (watcher) => {
        this.meet = watcher;
        return () => {};
      },
    };
    this.claims = new SessionClaims({ environment: clock, bounds: { silenceMsMax: SILENCE_MS }, bus: this.bus, nodes, sessions: this.sessions });
  }

  /** A connection comes, and has not said hello. */
  accept(): FakeConnection {
    return new FakeConnection(`${this.#name}-${this.#count++}`, this.claims.next(), this.sessions);
  }

  /** A connection comes and says hello. */
  open(of = session): FakeConnection {
    const connection = this.accept();
    connection.open(this.claims, this.#environment.now(), of);
    return connection;
  }
}

/** A broker that tells what nodes say, and loses it where a test wants that. */
class Wire extends FaultyBroker {
  readonly told: string[] = [];
  readonly topics: string[] = [];
  isCut = false;

  override async broadcast(topic: string, message: string): Promise<void> {
    this.told.push(message);
    this.topics.push(topic);
    if (!this.isCut) await super.broadcast(topic, message);
  }

  /** How many claims stood in each message. */
  get sizes(): number[] {
    return this.told.map((message) => Object(JSON.parse(message)).message.claims.length);
  }
}

async function cluster(aheadMs: readonly number[] = [0, 0, 0]) {
  const environment = new ManualEnvironment();
  const wire = new Wire(memoryBroker({ environment }));
  const [a, b, c] = aheadMs.map((ms, index) => new FakeNode(`node-${"abc"[index]}`, environment, wire, ms));
  if (a === undefined || b === undefined || c === undefined) throw new Error("three clocks make three nodes");
  /** The client's next attempt comes later. */
  const later = (): Promise<void> => environment.advance(1_000);
  return { environment, wire, a, b, c, later, settle: () => environment.settle() };
}

describe("claims of sessions between nodes", () => {
  it("SES-1 end the connection that another node has of the session, and it alone", async () => {
    const { a, b, c, later, settle } = await cluster();
    const [old, stranger] = [a.open(), a.open("another".padEnd(22, "-"))];
    await later();
    const next = b.open();
    const witness = c.open("a third".padEnd(22, "-"));
    await settle();
    expect([old.ending, stranger.ending, next.ending, witness.ending]).toEqual(["replaced", undefined, undefined, undefined]);
  });

  it("SES-1 do so at each hop, wherever the client comes back", async () => {
    const { a, b, c, later } = await cluster();
    const hops = [];
    for (const node of [a, b, c, b, a, c]) {
      hops.push(node.open());
      await later();
    }
    expect(hops.map(({ ending }) => ending)).toEqual(["replaced", "replaced", "replaced", "replaced", "replaced", undefined]);
  });

  it("SES-2 end nothing for a hello that came late, but the late one", async () => {
    const { a, b, later, settle } = await cluster();
    const late = a.accept();
    await later();
    const living = b.open();
    await later();
    late.open(a.claims, 0);
    await settle();
    expect([late.ending, living.ending]).toEqual(["moved", undefined]);
  });

  it("SES-2 of two that open at once leave one, the same at both nodes", async () => {
    const { a, b, settle } = await cluster();
    const [one, other] = [a.open(), b.open()];
    expect(one.claim).toBe(other.claim);
    await settle();
    expect([one.ending, other.ending]).toEqual(["moved", undefined]);
  });

  it("SES-2 are of a clock that what is heard moves forward: wall clocks a day apart are wrong once at most", async () => {
    const { a, b, later } = await cluster([24 * 3_600_000, 0, 0]);
    const old = a.open();
    await later();
    const next = b.open();
    await later();
    expect(next.claim).toBeGreaterThan(old.claim);
    expect([old.ending, next.ending]).toEqual(["replaced", undefined]);
  });

  it("SES-3 without proof let the living come back, and then it has the larger claim and the proof", async () => {
    const { a, b, wire, later } = await cluster([24 * 3_600_000, 0, 0]);
    wire.isCut = true;
    const old = a.open();
    await later();
    wire.isCut = false;
    const living = b.open();
    await later();
    expect([old.ending, living.ending]).toEqual([undefined, "moved"]);
    const back = b.open();
    await later();
    expect([old.ending, back.ending]).toEqual(["replaced", undefined]);
  });

  it("SES-3 are no proof where the hello came with what opened the connection: a node that stood still reads it last", async () => {
    const { a, b, later } = await cluster();
    const living = a.open();
    await later();
    const stale = b.accept();
    stale.provesOrder = false;
    stale.open(b.claims, 0);
    await later();
    expect([living.ending, stale.ending]).toEqual(["moved", undefined]);
    const back = a.open();
    await later();
    expect([stale.ending, back.ending]).toEqual(["replaced", undefined]);
  });

  it("SES-3 are no proof for a connection that came before they were heard: a late hello ends nobody for good, also where its clock is ahead", async () => {
    const { a, b, later } = await cluster([0, 10_000, 0]);
    const late = b.accept();
    await later();
    const living = a.open();
    await later();
    late.open(b.claims, 0);
    await later();
    expect(living.ending).toBe("moved");
    const back = a.open();
    await later();
    expect([late.ending, back.ending]).toEqual(["replaced", undefined]);
  });

  it("SES-3 let one of two copies go on, which come back as long as they may", async () => {
    const { a, b, wire, later } = await cluster();
    wire.isCut = true;
    let [first, second] = [a.open(), b.open()];
    await later();
    wire.isCut = false;
    let hops = 0;
    // Each comes back where it was, unless it was ended for good.
    for (second = b.open(); hops < 10; hops++) {
      await later();
      if (first.ending === "moved") first = a.open();
      else if (second.ending === "moved") second = b.open();
      else break;
    }
    expect([first.ending, second.ending].filter((ending) => ending !== "replaced")).toEqual([undefined]);
    expect(hops).toBeLessThan(3);
  });

  it("SES-4 of one turn are told together, in messages of 256 at most", async () => {
    const { a, b, wire, settle } = await cluster();
    const waiting = Array.from({ length: 600 }, (_, index) => b.open(`session ${index}`.padEnd(22, "-")));
    await settle();
    wire.told.length = 0;
    for (let index = 0; index < 600; index++) a.open(`session ${index}`.padEnd(22, "-"));
    expect(wire.told).toEqual([]);
    await settle();
    expect(wire.sizes.slice(0, 3)).toEqual([256, 256, 88]);
    expect(waiting.filter(({ ending }) => ending === undefined)).toEqual([]);
    expect(wire.told).toHaveLength(3);
  });

  it("SES-4 are not told where nobody would hear them", async () => {
    const { a, wire, settle } = await cluster();
    a.bus.isAlone = true;
    a.open();
    await settle();
    expect(wire.told).toEqual([]);
  });

  it("SES-4 are told again to a node that comes to be known, those that opened not long ago", async () => {
    const { a, b, wire, environment, later, settle } = await cluster();
    wire.isCut = true;
    const [old, long] = [a.open(), b.open("long ago".padEnd(22, "-"))];
    await environment.advance(SILENCE_MS);
    const living = b.open();
    await later();
    wire.isCut = false;
    wire.told.length = 0;
    const node = { id: "node-a", incarnation: 1, since: 0, self: false };
    b.meet({ type: "gone", node, why: "silent" });
    await settle();
    expect(wire.told).toEqual([]);
    b.meet({ type: "returned", node });
    await settle();
    expect([old.ending, living.ending, long.ending]).toEqual(["moved", undefined, undefined]);
    // Nobody else needs to hear it.
    expect([wire.sizes, wire.topics.at(-1)]).toEqual([[1], "node:node-a"]);
  });

  it("SES-4 that were lost leave both connections, and ended ones no trace", async () => {
    const { a, b, wire, later } = await cluster();
    wire.isCut = true;
    const [old, living] = [a.open(), b.open()];
    await later();
    expect([old.ending, living.ending]).toEqual([undefined, undefined]);
  });

  it("SES-4 that come twice, or after the end of their connection, end nobody", async () => {
    const { a, b, wire, later } = await cluster();
    a.open();
    await later();
    const living = b.open();
    await later();
    for (const message of wire.told.slice()) await wire.broadcast("nodes", message);
    await later();
    expect(living.ending).toBeUndefined();
    const back = a.open();
    await later();
    expect([living.ending, back.ending]).toEqual(["replaced", undefined]);
  });

  it.each([
    ["for another node", { connection: "node-c-1", claim: 2e12 }],
    ["for nobody", { connection: "", claim: 2e12 }],
    ["with what no clock comes to", { connection: "node-x-1", claim: 2 ** 53 - 1 }],
    ["with half a number", { connection: "node-x-1", claim: 2e12 + 0.5 }],
    ["with text for a number", { connection: "node-x-1", claim: "9" }],
    ["with too much of a name", { connection: `node-x-${"1".repeat(64)}`, claim: 2e12 }],
  ])("SES-8 %s are dropped, and all that came with them", async (_, strange) => {
    const { a, wire, settle } = await cluster();
    const living = a.open();
    await settle();
    const good = { session, connection: "node-x-2", claim: 2e12 };
    const message = { kind: "session:claims", claims: [good, { session, ...strange }] };
    await wire.broadcast("nodes", JSON.stringify({ node: "node-x", incarnation: 1, message }));
    await settle();
    expect(living.ending).toBeUndefined();
    expect(a.open().claim).toBeLessThan(2e12);
  });

  it("SES-8 of more sessions than are remembered are no proof any more, and end what they are larger than all the same", async () => {
    const { a, b, later, settle } = await cluster();
    const known = b.open();
    await later();
    for (let index = 0; index < 10_000; index++) b.open(`session ${index}`.padEnd(22, "-"));
    await settle();
    a.open();
    await settle();
    expect(known.ending).toBe("moved");
  });
});
