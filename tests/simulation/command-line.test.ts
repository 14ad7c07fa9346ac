import { describe, expect, it } from "vitest";
import { planOf, readCommand, replayCommand } from "./command-line.js";
import { breaks, profiles } from "./profiles.js";

describe("the command line of the simulation", () => {
  it("runs seeds from one to another, or one alone", () => {
    expect(readCommand(["--seeds", "50", "--from", "7"])).toMatchObject({ kind: "run", seeds: 50, from: 7 });
    expect(readCommand([])).toMatchObject({ kind: "run", seeds: 1000, from: 1 });
    expect(readCommand(["--seed", "42", "--break", "dedupe"])).toMatchObject({ kind: "replay", seed: 42, without: "dedupe" });
    expect(readCommand(["--list-breaks"])).toEqual({ kind: "list-breaks" });
  });

  it.each([["--seeds", "many"], ["--seeds", "-1"], ["--break", "nothing"], ["--profile", "nothing"], ["--nothing"]])("refuses %s %s", (...args) => {
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
});
