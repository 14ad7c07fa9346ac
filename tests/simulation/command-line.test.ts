import { describe, expect, it } from "vitest";
import { planOf, readCommand, replayCommand } from "./command-line.js";
import { breaks, nodeProfiles, profiles } from "./profiles.js";

const plain = { profile: undefined, without: undefined };

describe("the command line of the simulation", () => {
  it("runs seeds from one to another, or one alone", () => {
    expect(readCommand(["--seeds", "50", "--from", "7"])).toMatchObject({ kind: "run", seeds: 50, from: 7 });
    expect(readCommand([])).toMatchObject({ kind: "run", seeds: 1000, from: 1 });
    expect(readCommand(["--seed", "42", "--break", "dedupe"])).toMatchObject({ kind: "replay", seed: 42, without: "dedupe" });
    expect(readCommand(["--list-breaks"])).toEqual({ kind: "list-breaks" });
    expect(readCommand(["--seed", "42", "--shrink"])).toMatchObject({ kind: "shrink", seed: 42 });
    expect(readCommand(["--shrink"])).toMatchObject({ kind: "run", shrink: true });
  });

  it.each([["--seeds", "many"], ["--seeds", "-1"], ["--break", "nothing"], ["--profile", "nothing"], ["--nodes", "0"], ["--nodes", "10"], ["--nothing"], ["--only", "cut"], ["--until", "9"], ["--seed", "1", "--until", "soon"]])("refuses %s %s", (...args) => {
    expect(() => readCommand(args)).toThrow();
  });

  it("switches a guard off under the faults that it is for, unless told otherwise", () => {
    expect(planOf({ ...plain, without: "ack" })).toEqual({ profile: breaks["ack"]?.profile, nodes: 1, guards: breaks["ack"] });
    expect(planOf({ ...plain, profile: "calm", without: "ack" }).profile).toBe(profiles["calm"]);
    expect(planOf(plain)).toEqual({ profile: profiles["mixed"], nodes: 1, guards: {} });
  });

  it("runs one node, and several where that is asked for or the faults are theirs", () => {
    expect(planOf({ ...plain, nodes: 1 })).toEqual(planOf(plain));
    expect(planOf({ ...plain, nodes: 2 })).toEqual({ profile: nodeProfiles["cluster"], nodes: 2, guards: {} });
    expect(planOf({ ...plain, profile: "partitions" })).toEqual({ profile: nodeProfiles["partitions"], nodes: 3, guards: {} });
    expect(planOf({ ...plain, profile: "network", nodes: 3 })).toEqual({ profile: profiles["network"], nodes: 3, guards: {} });
    expect(replayCommand(42, { ...plain, nodes: 3 })).toBe("npm run sim -- --seed 42 --nodes 3");
  });

  it("names the command that replays a seed", () => {
    expect(replayCommand(42, plain)).toBe("npm run sim -- --seed 42");
    expect(replayCommand(42, { ...plain, profile: "bus", without: "chain" })).toBe("npm run sim -- --seed 42 --profile bus --break chain");
  });

  it("SIM-3 names the command that replays what is selected of a seed, and reads it as that", () => {
    const selection = { only: new Set(["cut", "cut#2", "wrong-clocks", "ada"]), untilMs: 9000 };
    const command = replayCommand(42, plain, selection);
    expect(command).toBe("npm run sim -- --seed 42 --only ada,cut#2,wrong-clocks --until 9000");
    const read = readCommand(command.split(" ").slice(4));
    expect(read).toMatchObject({ kind: "replay", seed: 42, selection: { only: new Set(["ada", "cut#2", "wrong-clocks"]), untilMs: 9000 } });
  });
});
