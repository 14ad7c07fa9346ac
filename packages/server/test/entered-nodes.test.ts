import { describe, expect, it } from "vitest";
import { EnteredNodes } from "../src/commands/entered-nodes.js";

const entries = (nodes: EnteredNodes): string[] => Array.from(nodes.all(), ([entry, node]) => `${entry} of ${node}`);

describe("the nodes that have entered", () => {
  it("CMD-8 are there until they leave or are struck out, whoever says it how often", () => {
    const nodes = new EnteredNodes();
    for (const entry of ["1", "2", "3", "1"]) nodes.enter({ entry, node: `node-${entry}` });
    nodes.leave("2");
    nodes.leave("2");
    nodes.strike("3");
    nodes.strike("3");
    nodes.strike("4");
    expect([entries(nodes), nodes.struckCount]).toEqual([["1 of node-1"], 1]);
    expect([nodes.has("1"), nodes.has("3")]).toEqual([true, false]);
  });

  it("CMD-8 are 1,024 at most: one more strikes the first out", () => {
    const nodes = new EnteredNodes();
    for (let entry = 0; entry < 1_025; entry++) nodes.enter({ entry: `${entry}`, node: "node" });
    expect([entries(nodes).length, nodes.has("0"), nodes.has("1"), nodes.struckCount]).toEqual([1_024, false, true, 1]);
  });

  it("CMD-8 are the same from what was stored", () => {
    const [nodes, restored] = [new EnteredNodes(), new EnteredNodes()];
    for (const entry of ["1", "2"]) nodes.enter({ entry, node: "node" });
    nodes.strike("1");
    restored.enter({ entry: "other", node: "node" });
    restored.restore(nodes.stored());
    expect([entries(restored), restored.struckCount]).toEqual([["2 of node"], 1]);
  });
});
