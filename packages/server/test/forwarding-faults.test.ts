import { TuttiError } from "@tutti/protocol";
import { defaultBounds, silentLog } from "@tutti/server";
import { calmBroker, simulate, type BrokerFaults, type SimulatedBroker, type SimulatedWorld } from "@tutti/testkit";
import { describe, expect, it } from "vitest";
import { Bus } from "../src/bus/bus.js";
import { Forwarder } from "../src/sessions/forwarding.js";
import { Nodes } from "../src/bus/nodes.js";
import { SessionTokens } from "../src/sessions/session-token.js";

const place = { session: "s".repeat(22), ordinal: 1 };
const keys = ["the key of all nodes, of 32 bytes and more"];
const MESSAGES = 200;

/** A node in a process of its own. */
function nodeOf(world: SimulatedWorld, broker: SimulatedBroker, name: string) {
  const environment = world.process(name);
  const bus = new Bus({ node: name, environment, broker: broker.connect(environment), log: silentLog });
  const nodes = new Nodes({ bus, environment, bounds: defaultBounds, log: silentLog, isShared: true });
  const tokens = new SessionTokens({ node: name, environment, keys });
  const forwarder = new Forwarder({ environment, bounds: defaultBounds, bus, nodes, log: silentLog, tokens });
  nodes.start();
  return { environment, nodes, tokens, forwarder };
}

/** Two nodes that know each other; what comes for the session of the first is kept. */
async function holding(seed: number, faults: Partial<BrokerFaults> = {}) {
  const world = simulate({ seed });
  const broker = world.broker();
  const [owner, other] = [nodeOf(world, broker, "owner"), nodeOf(world, broker, "other")];
  await world.clock.advance(2_000);
  broker.faults = { ...calmBroker, ...faults };
  const taken: number[] = [];
  owner.forwarder.hold(place, { receive: ({ text }) => void taken.push(Number(text)), poll: () => {} });
  const token = owner.tokens.issue(place);
  const outcomes: string[] = [];
  const forward = (index: number): void => {
    other.forwarder.forward(token, { number: 1, text: `${index}` }).then(
      () => (outcomes[index] = "taken"),
      (error: unknown) => (outcomes[index] = error instanceof TuttiError ? error.code : "no TuttiError"),
    );
  };
  return { world, broker, owner, other, taken, outcomes, forward };
}

describe("what comes with a session token, over a broker that fails", () => {
  it.each([1, 2, 3, 4, 5])("SES-7 is taken once and in order or not at all, and each is answered within its time (seed %i)", async (seed) => {
    const { world, taken, outcomes, forward } = await holding(seed, {
      refused: 0.05,
      answerLost: 0.05,
      hangs: 0.05,
      hangMs: 5_000,
      broadcastLost: 0.1,
      broadcastRepeated: 0.2,
      broadcastLate: 0.1,
    });
    for (let index = 0; index < MESSAGES; index++) {
      forward(index);
      await world.clock.advance(1);
    }
    await world.clock.advance(defaultBounds.forwardTimeoutMs);
    expect(taken).toEqual([...new Set(taken)].toSorted((a, b) => a - b));
    expect(outcomes.filter((outcome) => outcome !== undefined)).toHaveLength(MESSAGES);
    expect(new Set(outcomes)).toEqual(new Set(["taken", "SESSION_MOVED"]));
    // Whoever is told that it was taken can rely on it; the other way round nobody knows.
    const told = outcomes.flatMap((outcome, index) => (outcome === "taken" ? [index] : []));
    expect(told.filter((index) => !taken.includes(index))).toEqual([]);
  });

  it("SES-7 is SESSION_MOVED within forwardTimeoutMs after the death of its node, and at once when it is known", async () => {
    const { world, broker, owner, other, taken, outcomes, forward } = await holding(1);
    owner.environment.stop();
    broker.disconnect(owner.environment);
    forward(0);
    await world.clock.advance(defaultBounds.forwardTimeoutMs);
    expect(outcomes).toEqual(["SESSION_MOVED"]);
    await world.clock.advance(2 * defaultBounds.nodeSilenceMsMax);
    expect(other.nodes.others()).toEqual([]);
    forward(1);
    await world.clock.advance(1);
    expect([outcomes, taken]).toEqual([["SESSION_MOVED", "SESSION_MOVED"], []]);
  });
});
