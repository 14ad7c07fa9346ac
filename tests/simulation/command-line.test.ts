import { describe, expect, it } from "vitest";
import { planOf, readCommand, replayCommand } from "./command-line.js";
import { breaks, profiles } from "./profiles.js";

describe("the command line of the simulation", () => {
  it("runs seeds from one to another, or one alone", () => {
    expect(readCommand(["--seeds", "50", "--from", "7"])).toMatchObject({ kind: "run", seeds: 50, from: 7 });
    expect(readCommand([])).toMatchObject({ kind: "run", seeds: 1000, from: 1 });
    expect(readCommand(["--seed", "42", "--break", "dedupe"])).toMatchObject({ kind: "replay", seed: 42, without: "dedupe" });
    expect(readCommand(["--list-breaks"])).toEqual({ kind: "list-breaks" });
    expect(readCommand(["--seed", "42", "--shrink"])).toMatchObject({ kind: "shrink", seed: 42 });
    expect(readCommand(["--shrink"])).toMatchObject({ kind: "run", shrink: true });
  });

  it.each([["--seeds", "many"], ["--seeds", "-1"], ["--break", "nothing"], ["--profile", "nothing"], ["--nothing"], ["--only", "cut"], ["--until", "9"], ["--seed", "1", "--until", "soon"]])("refuses %s %s", (...args) => {
    expect(() => readCommand(args)).toThrow();
  });

  it("switches a guard off under the faults that it is for, unless told otherwise", () => {
    expect(planOf({ profile: undefined, without: "ack" })).toEqual({ profile: breaks["ack"]?.profile, guards: breaks["ack"] });
    expect(planOf({ profile: "calm", without: "ack" }).profile).toBe(profiles["calm"]);
    expect(planOf({ profile: undefined, without: undefined })).toEqual({ profile: profiles["mixed"], guards: {} });
  });

  it("names the command that replays a seed", () => {
    expect(replayCommand(42, { profile: undefined, without: undefined })).toBe("npm run sim -- --seed 42");
    expect(replayCommand(42, { profile: "bus", without: "chain" })).toBe("npm run sim -- --seed 42 --profile bus --break chain");
  });

  it("SIM-3 names the command that replays what is selected of a seed, and reads it as that", () => {
    const selection = { only: new Set(["cut", "cut#2", "wrong-clocks", "ada"]), untilMs: 9000 };
    const command = replayCommand(42, { profile: undefined, without: undefined }, selection);
    expect(command).toBe("npm run sim -- --seed 42 --only ada,cut#2,wrong-clocks --until 9000");
    const read = readCommand(command.split(" ").slice(4));
    expect(read).toMatchObject({ kind: "replay", seed: 42, selection: { only: new Set(["ada", "cut#2", "wrong-clocks"]), untilMs: 9000 } });
  });
});
