import { memoryBroker } from "@tutti/server";
import { describe, expect, it } from "vitest";
import { Bus } from "../src/bus/bus.js";
import type { BusMessage, Sender } from "../src/bus/bus-messages.js";
import { BrokerLink } from "./support/neighbours.js";
import { ManualEnvironment } from "./support/manual-environment.js";

const goodbye: BusMessage = { kind: "node:goodbye" };

/** Two nodes' buses over one broker. */
function buses() {
  const environment = new ManualEnvironment();
  const shared = memoryBroker({ environment });
  const logged: string[] = [];
  const log = { info: () => {}, warn: (message: string) => void logged.push(message), error: (message: string) => void logged.push(message) };
  const [here, there] = ["here", "there"].map((node) => {
    const broker = new BrokerLink(shared);
    return { broker, bus: new Bus({ node, environment, broker, log }) };
  });
  if (here === undefined || there === undefined) throw new Error("two names make two buses");
  return { environment, shared, logged, here, there };
}

/** What a listener hears. */
function ear() {
  const heard: { readonly message: BusMessage; readonly sender: Sender }[] = [];
  return { heard, listener: (message: BusMessage, sender: Sender) => void heard.push({ message, sender }) };
}

describe("the bus", () => {
  it("NODE-6 brings what a node tells to those who hear the topic, with who told it and in which life", async () => {
    const { here, there } = buses();
    const [nodes, other] = [ear(), ear()];
    await there.bus.hear("nodes", nodes.listener);
    await there.bus.hear("node:there", other.listener);
    here.bus.incarnation = 3;
    expect(await here.bus.told("nodes", goodbye)).toBe(true);
    expect(nodes.heard).toEqual([{ message: goodbye, sender: { node: "here", incarnation: 3 } }]);
    expect(other.heard).toEqual([]);
  });

  it("NODE-6 carries the bytes in what applications made", async () => {
    const { here, there } = buses();
    const { heard, listener } = ear();
    await there.bus.hear("channel:room:1", listener);
    const member = { session: "s", state: { avatar: new Uint8Array([1, 2]) }, activity: "active" as const, since: 1 };
    const message: BusMessage = { kind: "presence:changes", channel: "room:1", before: 0, number: 1, entered: [{ member, ageMs: 0 }], left: [] };
    here.bus.tell("channel:room:1", message);
    expect(heard.map((each) => each.message)).toEqual([message]);
  });

  it("NODE-6 does not bring a node its own messages", async () => {
    const { here, shared } = buses();
    const { heard, listener } = ear();
    await here.bus.hear("nodes", listener);
    here.bus.tell("nodes", goodbye);
    // Written by somebody else, and in another way.
    await shared.broadcast("nodes", JSON.stringify({ incarnation: 1, message: goodbye, node: "here" }));
    expect(heard).toEqual([]);
  });

  it.each([
    ["no JSON", "{"],
    ["a list", JSON.stringify([{ node: "x", incarnation: 1, message: goodbye }, {}])],
    ["nobody's", JSON.stringify({ incarnation: 1, message: goodbye })],
    ["of a node without a name", JSON.stringify({ node: "", incarnation: 1, message: goodbye })],
    ["of half a life", JSON.stringify({ node: "x", incarnation: 0.5, message: goodbye })],
    ["without a message", JSON.stringify({ node: "x", incarnation: 1 })],
    ["of an unknown kind", JSON.stringify({ node: "x", incarnation: 1, message: { kind: "node:explode" } })],
    ["of a kind that every object has", JSON.stringify({ node: "x", incarnation: 1, message: { kind: "constructor" } })],
    ["without a field", JSON.stringify({ node: "x", incarnation: 1, message: { kind: "node:heartbeat" } })],
    ["with a wrong field", JSON.stringify({ node: "x", incarnation: 1, message: { kind: "node:dead", incarnation: "1" } })],
    ["with a prototype", `{"node":"x","incarnation":1,"message":{"kind":"node:goodbye","__proto__":{}}}`],
    ["too deep", `{"node":"x","incarnation":1,"message":${'{"a":'.repeat(200)}1${"}".repeat(200)}}`],
  ])("NODE-6 drops and logs what is %s", async (_, message) => {
    const { shared, there, logged } = buses();
    const { heard, listener } = ear();
    await there.bus.hear("nodes", listener);
    await shared.broadcast("nodes", message);
    expect(heard).toEqual([]);
    expect(logged).toEqual(["what came from another node cannot be read"]);
  });

  it("NODE-6 passes over fields that a newer node sends", async () => {
    const { shared, there } = buses();
    const { heard, listener } = ear();
    await there.bus.hear("nodes", listener);
    await shared.broadcast("nodes", JSON.stringify({ node: "x", incarnation: 1, more: 1, message: { ...goodbye, more: 1 } }));
    expect(heard).toEqual([{ message: goodbye, sender: { node: "x", incarnation: 1 } }]);
  });

  it("NODE-6 logs what cannot be read once in 10 s", async () => {
    const { environment, shared, there, logged } = buses();
    await there.bus.hear("nodes", () => {});
    for (let count = 0; count < 5; count++) await shared.broadcast("nodes", "{");
    expect(logged).toHaveLength(1);
    await environment.advance(10_000);
    await shared.broadcast("nodes", "{");
    expect(logged).toHaveLength(2);
  });

  it("logs what could not be told, once in a while, and tells whether it was", async () => {
    const { here, logged } = buses();
    for (let count = 0; count < 3; count++) here.broker.failNext("broadcast");
    here.bus.tell("nodes", goodbye);
    here.bus.tell("nodes", goodbye);
    expect(await here.bus.told("nodes", goodbye)).toBe(false);
    expect(logged).toEqual(["telling other nodes failed"]);
    expect(await here.bus.told("nodes", goodbye)).toBe(true);
  });

  it("hands a message to all listeners of a topic, whatever one of them makes of it, and listens once", async () => {
    const { here, there, logged } = buses();
    const { heard, listener } = ear();
    const ends = [
      await there.bus.hear("nodes", () => {
        throw new Error("cannot be handled");
      }),
      await there.bus.hear("nodes", listener),
    ];
    here.bus.tell("nodes", goodbye);
    expect(heard).toHaveLength(1);
    expect(logged).toEqual(["a message of another node could not be handled"]);
    expect(there.broker.countOf("listen")).toBe(1);
    await ends[1]?.();
    here.bus.tell("nodes", goodbye);
    expect([heard.length, logged.length]).toEqual([1, 2]);
    await ends[0]?.();
    here.bus.tell("nodes", goodbye);
    expect([heard.length, logged.length]).toEqual([1, 2]);
  });

  it("rejects for all who wait where the broker does not listen, and hears when it is asked again", async () => {
    const { here, there } = buses();
    const { heard, listener } = ear();
    there.broker.failNext("listen");
    const waiting = [there.bus.hear("nodes", listener), there.bus.hear("nodes", listener)];
    expect((await Promise.allSettled(waiting)).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    await there.bus.hear("nodes", listener);
    here.bus.tell("nodes", goodbye);
    expect(heard).toHaveLength(1);
  });
});
