import { TuttiError } from "@tutti/protocol";
import { describe, expect, it } from "vitest";
import { turns } from "./support/fake-environment.js";
import { Stage } from "./support/stage.js";

/** A client whose token is fetched: `token 1`, `token 2` … */
function fetching(tokenExpiresMs?: number) {
  const fetched: string[] = [];
  let failure: unknown;
  const stage = new Stage({
    heartbeatIntervalMs: 100_000_000,
    token() {
      if (failure !== undefined) return Promise.reject(failure);
      fetched.push(`token ${fetched.length + 1}`);
      return Promise.resolve(fetched.at(-1) ?? "");
    },
  });
  return {
    stage,
    fetched,
    fail: (error: unknown) => (failure = error),
    /** The link that the fetched token leads to, welcomed. */
    up: async (): Promise<void> => {
      stage.client.connect();
      await turns();
      stage.link.open();
      stage.link.welcome(tokenExpiresMs === undefined ? {} : { tokenExpiresMs });
    },
    pass: async (ms: number): Promise<void> => {
      stage.environment.pass(ms);
      await turns();
    },
  };
}

describe("the token", () => {
  it("CON-6 that is a text is sent every time, and one that expired is tried again by the backoff", () => {
    const stage = new Stage({ token: "sesame" });
    stage.client.connect();
    for (const delayMs of [1_000, 2_000, 4_000]) {
      stage.link.open();
      expect(stage.link.last("hello").token).toBe("sesame");
      const count = stage.transport.links.length;
      stage.link.cut("TOKEN_EXPIRED");
      expect(stage.statuses.at(-1)).toBe("reconnecting TOKEN_EXPIRED");
      stage.environment.pass(delayMs - 1);
      expect(stage.transport.links).toHaveLength(count);
      stage.environment.pass(1);
      expect(stage.transport.links).toHaveLength(count + 1);
    }
  });

  it("CON-6 that cannot be fetched anew after it expired is tried again, and what is subscribed comes back with the one that can", async () => {
    const { stage, fail, up, pass } = fetching();
    await up();
    void stage.board.subscribe();
    fail(new Error("no network"));
    stage.link.cut("TOKEN_EXPIRED");
    await pass(1_000);
    expect(stage.statuses.at(-1)).toBe("reconnecting TOKEN_EXPIRED");
    fail(undefined);
    await pass(2_000);
    stage.link.open();
    expect(stage.link.last("hello").token).toBe("token 2");
    stage.link.welcome();
    expect(stage.link.of("subscribe")).toHaveLength(1);
  });

  it("CON-6 is brought anew at the end of each one's life", async () => {
    const { stage, up, pass } = fetching(1_000_000);
    await up();
    for (const [count, lifeMs] of [1_000_000, 200_000, 50_000].entries()) {
      const dueMs = Math.max(lifeMs * 0.8, lifeMs - 30_000);
      await pass(dueMs - 1);
      expect(stage.link.of("refresh")).toHaveLength(count);
      await pass(1);
      expect(stage.link.of("refresh")).toHaveLength(count + 1);
      expect(stage.link.last("refresh").token).toBe(`token ${count + 2}`);
      stage.link.answer(stage.link.last("refresh"), { tokenExpiresMs: [200_000, 50_000, 1_000][count] });
    }
  });

  it("CON-6 that was brought anew is the one that the next connection uses", async () => {
    const { stage, fetched, up, pass } = fetching(100_000);
    await up();
    await pass(80_000);
    stage.link.answer(stage.link.last("refresh"), {});
    stage.link.cut();
    await pass(1_000);
    stage.link.open();
    expect(stage.link.last("hello").token).toBe("token 2");
    expect(fetched).toHaveLength(2);
  });

  it("CON-6 that cannot be brought anew surfaces, and the connection goes on until the server ends it", async () => {
    const { stage, fail, up, pass } = fetching(100_000);
    await up();
    fail(new TuttiError("SIGNED_OUT"));
    await pass(80_000);
    expect(stage.errors).toEqual(["SIGNED_OUT"]);
    expect(stage.status).toBe("connected");
    expect(stage.link.of("refresh")).toEqual([]);
  });

  it("CON-6 that the server does not take in place of the old one surfaces, and the connection goes on", async () => {
    const { stage, up, pass } = fetching(100_000);
    await up();
    await pass(80_000);
    stage.link.refuse(stage.link.last("refresh"), "TOKEN_INVALID");
    expect(stage.errors).toEqual(["TOKEN_INVALID"]);
    expect(stage.status).toBe("connected");
  });

  it("CON-6 is not brought anew for a connection that is over", async () => {
    const { stage, fetched, up, pass } = fetching(100_000);
    await up();
    stage.link.cut("KICKED");
    await pass(1_000_000);
    expect(fetched).toHaveLength(1);
    expect(stage.environment.timerCount).toBe(0);
  });

  it("CON-8 that arrives after close opens nothing", async () => {
    let arrive: ((token: string) => void) | undefined;
    const stage = new Stage({ token: () => new Promise<string>((resolve) => (arrive = resolve)) });
    stage.client.connect();
    await stage.client.close();
    arrive?.("late");
    await turns();
    expect(stage.transport.links).toHaveLength(0);
    expect(stage.environment.timerCount).toBe(0);
  });

  it("CON-6 that is thrown for counts as an attempt: after 12 the client has failed", async () => {
    const { stage, fail, pass } = fetching();
    fail(new Error("no network"));
    stage.client.connect();
    await turns();
    for (let count = 0; count < 12; count++) await pass(30_500);
    expect(stage.statuses.at(-1)).toBe("failed RETRIES_EXHAUSTED");
    expect(stage.transport.links).toHaveLength(0);
  });

  it("MESSAGE_TOO_LARGE a token that no hello can carry is not sent, and not tried again", () => {
    const stage = new Stage({ token: "x".repeat(70_000) });
    stage.client.connect();
    stage.link.open();
    expect(stage.statuses.at(-1)).toBe("disconnected TOKEN_INVALID");
    expect(stage.link.sent).toEqual([]);
  });
});
