import { describe, expect, test } from "vitest";
import { Names } from "../src/keys.js";
import type { RequestLink } from "../src/link.js";
import { Watchdog } from "../src/watchdog.js";
import { ManualEnvironment, settled } from "./support/manual-environment.js";

const watchdogMs = 5_000;

/** A watchdog over two servers of which each takes calls and delivers them, unless told otherwise. */
function watchdogUnderTest() {
  const environment = new ManualEnvironment();
  const listeners = new Map<string, (message: string) => void>();
  const renewed: string[] = [];
  const calls: string[] = [];
  const mute = new Set<string>();
  const world = { trouble: undefined as string | undefined, recovered: 0 };
  const nameOf = (tag: string): string => new Names("test").echo(tag, "id-1-0123456789");
  const requestLine = {
    get trouble() {
      return world.trouble;
    },
    link: { masters: () => new Map([["one", "a"], ["two", "b"]]) } as unknown as RequestLink,
    renew: () => void renewed.push("requests"),
  };
  const watchdog = new Watchdog({
    environment,
    names: new Names("test"),
    publish: "PUBLISH",
    requestLine,
    requests: {
      send: async (name, [, , message = ""]) => {
        calls.push(name);
        if (!mute.has(name)) listeners.get(name)?.(message);
        return 1;
      },
    },
    deliveries: {
      hears: (name) => listeners.has(name),
      listen: async (name, listener) => {
        listeners.set(name, listener);
        return async () => void listeners.delete(name);
      },
      renew: (name) => void renewed.push(name),
    },
    watchdogMs,
    recovered: () => world.recovered++,
  });
  return { environment, watchdog, world, renewed, calls, a: nameOf("a"), b: nameOf("b"), silence: (name: string) => mute.add(name), heal: (name: string) => mute.delete(name) };
}

describe("a watchdog", () => {
  test("RDS-6 finds the server whose deliveries are silent, by the end of the round in which it was called, and makes those anew", async () => {
    const { environment, watchdog, renewed, silence, b } = watchdogUnderTest();
    watchdog.start();
    await environment.advance(3 * watchdogMs);
    expect([watchdog.trouble, renewed]).toEqual([undefined, []]);
    silence(b);
    await environment.advance(2 * watchdogMs);
    expect(renewed).toEqual([b]);
    expect(watchdog.trouble).toContain("1 of 2");
    watchdog.stop();
    expect(environment.timerCount).toBe(0);
  });

  test("RDS-14 calls at once where a connection stands again, and is content as soon as it hears itself from everywhere", async () => {
    const { environment, watchdog, world, calls, renewed, silence, heal, a, b } = watchdogUnderTest();
    watchdog.start();
    silence(b);
    await environment.advance(2 * watchdogMs);
    expect(watchdog.trouble).toBeDefined();
    const before = calls.length;
    const times = renewed.length;
    heal(b);
    watchdog.callAgain();
    await settled();
    expect(calls.slice(before)).toEqual([a, b]);
    expect([watchdog.trouble, world.recovered]).toEqual([undefined, 1]);
    // What was called before, by a connection that is gone, is not held against the new one.
    await environment.advance(3 * watchdogMs);
    expect(renewed).toHaveLength(times);
    watchdog.stop();
    watchdog.callAgain();
    expect(environment.timerCount).toBe(0);
  });

  test("RDS-6 is not content where one of the servers is not heard, nor while nobody can be called", async () => {
    const { environment, watchdog, world, silence, heal, b } = watchdogUnderTest();
    watchdog.start();
    silence(b);
    await environment.advance(2 * watchdogMs);
    watchdog.callAgain();
    await settled();
    expect(watchdog.trouble).toBeDefined();
    world.trouble = "away";
    await environment.advance(4 * watchdogMs);
    expect(watchdog.trouble).toBeDefined();
    world.trouble = undefined;
    heal(b);
    watchdog.callAgain();
    await settled();
    expect([watchdog.trouble, world.recovered]).toEqual([undefined, 1]);
    watchdog.stop();
  });
});
