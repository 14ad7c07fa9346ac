import { describe, expect, it } from "vitest";
import { AdaptiveStage, names, type Name } from "./support/adaptive-stage.js";
import type { FakeLink } from "./support/fake-server.js";

/** What becomes of every link that is opened. */
type Fate = (link: FakeLink, name: Name) => void;

const OPEN_AND = (then: (link: FakeLink) => void): Fate => (link) => {
  link.open();
  then(link);
};
const fates: readonly (readonly [string, Fate])[] = [
  ["refuses each at once", (link) => link.cut()],
  ["hangs", () => {}],
  ["opens and stays silent", OPEN_AND(() => {})],
  ["accepts and drops at once", OPEN_AND((link) => link.cut())],
  ["welcomes and drops at once", OPEN_AND((link) => (link.welcome(), link.cut()))],
  ["is not available", OPEN_AND((link) => link.cut("UNAVAILABLE"))],
  ["is draining", OPEN_AND((link) => link.cut("SERVER_DRAINING", 500))],
  ["finds the token expired", OPEN_AND((link) => link.cut("TOKEN_EXPIRED"))],
  ["lets only polls through, and drops them", (link, name) => (name === "poll" ? OPEN_AND((each) => (each.welcome(), each.cut()))(link, name) : link.cut())],
];

/** When each attempt began, and how many links were opened by it. */
function run(fate: Fate): { readonly atMs: readonly number[]; readonly opened: readonly number[]; readonly stage: AdaptiveStage } {
  const stage = new AdaptiveStage({ client: { token: "t" } });
  const handled = new Map<Name, number>(names.map((name) => [name, 0]));
  const atMs: number[] = [];
  const opened: number[] = [];
  let attempt = -1;
  stage.client.connection.subscribe(() => {
    const { reconnectAttempts, status } = stage.client.connection.getSnapshot();
    if ((status === "connecting" || status === "reconnecting") && reconnectAttempts !== attempt) {
      attempt = reconnectAttempts;
      atMs.push(stage.environment.elapsed());
      opened.push(0);
    }
  });
  stage.client.connect();
  const settle = (): void => {
    for (let isQuiet = false; !isQuiet; ) {
      isQuiet = true;
      for (const name of names) {
        const { links } = stage.paths[name];
        const done = handled.get(name) ?? 0;
        const link = links[done];
        if (link === undefined) continue;
        isQuiet = false;
        handled.set(name, done + 1);
        opened[opened.length - 1] = (opened.at(-1) ?? 0) + 1;
        if (link.status === "opening") fate(link, name);
      }
    }
  };
  settle();
  for (let step = 0; step < 60 * 60 * 10; step++) {
    stage.environment.pass(100);
    settle();
  }
  return { atMs, opened, stage };
}

describe("a server, or a network, that fails every link", () => {
  it.each(fates)("TRN-7 is called by the backoff alone, and no attempt opens more than it should, where it %s", (_name, fate) => {
    const { atMs, opened, stage } = run(fate);
    // Twelve reconnects, and then nothing until somebody says so: CON-2.
    expect(stage.status).toBe("failed");
    const delays = [1, 2, 4, 8, 16, 30, 30, 30, 30, 30, 30, 30].map((seconds) => seconds * 1_000);
    expect(atMs).toHaveLength(1 + delays.length);
    for (const [index, delayMs] of delays.entries()) expect((atMs[index + 1] ?? 0) - (atMs[index] ?? 0)).toBeGreaterThanOrEqual(delayMs);
    expect(opened[0]).toBeLessThanOrEqual(names.length);
    for (const count of opened.slice(1)) expect(count).toBeLessThanOrEqual(2);
    expect(stage.live).toEqual([0, 0, 0, 0]);
    expect(stage.counts.reduce((sum, count) => sum + count)).toBeLessThanOrEqual(names.length + 2 * delays.length);
  });

  it("TRN-7 a refusal for good is not tried over another transport, nor again", () => {
    const { opened, stage } = run(OPEN_AND((link) => link.cut("AUTHENTICATION_REQUIRED")));
    expect(stage.status).toBe("disconnected");
    expect(opened).toEqual([1]);
  });

  it("TRN-7 what the server asks to wait is waited for", () => {
    const { atMs, opened } = run(OPEN_AND((link) => link.cut("SERVER_DRAINING", 60_000)));
    for (const [index, startedMs] of atMs.slice(1).entries()) expect(startedMs - (atMs[index] ?? 0)).toBeGreaterThanOrEqual(60_000);
    expect(Math.max(...opened)).toBe(1);
  });

  it("TRN-7 counts the attempts over a better transport too, where the change to it fails each time", () => {
    const stage = new AdaptiveStage().connectOver("sse");
    let changes = 0;
    // The better one opens for each probe and each attempt, and never says a word.
    for (let second = 0; second < 3_600; second++) {
      const before = stage.paths.sse.links.length;
      stage.environment.pass(1_000);
      const socket = stage.link("websocket");
      if (socket.status === "opening") socket.open();
      const again = stage.link("websocket");
      if (again.status === "opening") again.open();
      if (stage.paths.sse.links.length > before) {
        changes++;
        stage.welcome("sse");
      }
      stage.link("sse").say({ op: "pong" });
    }
    expect(changes).toBe(1);
    expect(stage.status).toBe("connected");
  });
});
