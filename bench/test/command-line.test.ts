import { describe, expect, test } from "vitest";
import { readCommand, type Command } from "../src/command-line.js";
import { madeUp } from "./support/made-up.js";

const contender = { open: async () => ({ close: async () => {} }) };
const scenarios = [madeUp(), madeUp({ name: "log", rounds: 7, contenders: { lmdb: contender, broker: contender } })];
const read = (...args: readonly string[]): Command => readCommand(args, scenarios);

describe("the command line", () => {
  test("one benchmark is measured in full, as often as it says itself, with all its contenders", () => {
    expect(read("log")).toMatchObject({ kind: "one", json: undefined, plan: { scenario: { name: "log" }, rounds: 7, size: "full", peers: undefined, directory: undefined } });
  });

  test("what is said goes before what the benchmark says", () => {
    const command = read("room", "--rounds", "5", "--peers", "tutti, ws-turn", "--tiny", "--json", "a.json", "--directory", "/b");
    expect(command).toMatchObject({ kind: "one", json: "a.json", plan: { rounds: 5, size: "tiny", peers: ["tutti", "ws-turn"], directory: "/b" } });
  });

  test("a contender that a benchmark does not have is refused by name, with those that it has", () => {
    expect(() => read("room", "--peers", "tutti,lmdb")).toThrow('room: no contender "lmdb"; there are "tutti", "ws", "ws-turn", "centrifugo"');
  });

  test("of all, those are measured that have one of the contenders, with these alone", () => {
    const plansOf = (...args: readonly string[]): unknown => {
      const command = read("all", ...args);
      return command.kind === "all" && command.plans.map(({ scenario, peers, rounds }) => [scenario.name, rounds, peers]);
    };
    expect(plansOf()).toEqual([["room", 3, undefined], ["log", 7, undefined]]);
    expect(plansOf("--peers", "ws", "--rounds", "2")).toEqual([["room", 2, ["ws"]]]);
    expect(plansOf("--peers", "ws,broker")).toEqual([["room", 3, ["ws"]], ["log", 7, ["broker"]]]);
    expect(() => plansOf("--peers", "somebody")).toThrow('no contender "somebody"');
  });

  test("what cannot be meant is refused in words", () => {
    expect(() => read()).toThrow("one NAME is needed");
    expect(() => read("room", "log")).toThrow("one NAME is needed");
    expect(() => read("rooms")).toThrow('there is no benchmark "rooms"; there are room, log');
    expect(() => read("room", "--rounds", "0")).toThrow('--rounds is a whole number from 1 on, not "0"');
    expect(() => read("all", "--json", "a.json")).toThrow("--json is for one benchmark");
  });

  test("names are listed, and the page is written, without measuring", () => {
    expect(read("--list")).toEqual({ kind: "list" });
    expect(read("results")).toEqual({ kind: "results" });
  });
});
