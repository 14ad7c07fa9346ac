import { describe, expect, it } from "vitest";
import { memoryStorage } from "../src/index.js";
import { load, online } from "./support/browser.js";
import type { FakeLink } from "./support/fake-server.js";
import type { Stage } from "./support/stage.js";

type Options = NonNullable<Parameters<typeof online>[1]>;

const note = (text: string) => ({ text });
const sent = (link: FakeLink) => link.of("publish").map(({ n, retry = false, payload }) => [n, retry, Object(payload).text]);

/** Two tabs, each connected; the second one published `texts`, and is gone. */
async function leftBehind(texts: readonly string[], { owner, ...options }: Options = {}) {
  const storage = memoryStorage();
  const stage = await online(storage, options);
  const tab = memoryStorage({ beside: storage });
  const other = await online(tab, { inFlightMax: 1, ...(owner !== undefined && { owner }) });
  for (const text of texts) void other.board.publish("note:add", note(text));
  await other.stored();
  const secret = other.link.last("hello").session;
  tab.abandon();
  await stage.stored();
  return { storage, tab, stage, secret };
}

/** Lets the client that sends what was left be welcomed, as `session`. */
async function welcome(stage: Stage, session = "public"): Promise<FakeLink> {
  const { link } = stage;
  link.open();
  link.welcome({ session });
  await stage.stored();
  return link;
}

describe("what a dead tab left", () => {
  it("QUE-3 is sent by a tab that runs, as the session that it was, under the numbers that it had, and is then forgotten", async () => {
    const { tab, stage, secret } = await leftBehind(["a", "b"]);
    const own = stage.transport.links[0]!;
    const link = await welcome(stage);
    expect(link).not.toBe(own);
    expect(link.last("hello").session).toBe(secret);
    expect(link.of("subscribe")).toEqual([]);
    expect(sent(link)).toEqual([
      [1, true, "a"],
      [2, false, "b"],
    ]);
    link.of("publish").forEach((frame, index) => link.ack(frame, index + 1));
    await stage.stored();
    expect(link.status).toBe("closed");
    expect(own.status).toBe("open");
    expect((await tab.hold()).stored).toBeUndefined();
  });

  it("QUE-3 is refused to the application that runs", async () => {
    const { stage } = await leftBehind(["a"]);
    const rollbacks: unknown[] = [];
    stage.client.on("rollback", ({ payload, error }) => rollbacks.push([payload, error.code]));
    const link = await welcome(stage);
    link.refuse(link.last("publish"), "FORBIDDEN");
    expect(rollbacks).toEqual([[note("a"), "FORBIDDEN"]]);
  });

  it("QUE-4 is not sent where the user is another", async () => {
    const { stage } = await leftBehind(["a", "b"]);
    const rollbacks: string[] = [];
    stage.client.on("rollback", ({ error }) => rollbacks.push(error.code));
    const link = await welcome(stage, "another");
    expect(sent(link)).toEqual([]);
    expect(rollbacks).toEqual(["OUTCOME_UNKNOWN", "USER_CHANGED"]);
    expect(link.status).toBe("closed");
  });

  it("QUE-4 is not sent where the owner is another", async () => {
    const { tab, stage } = await leftBehind(["a", "b"], { owner: "somebody else" });
    await stage.stored();
    expect(stage.transport.links.slice(2).flatMap((link) => link.sent)).toEqual([]);
    expect(stage.transport.links.filter(({ status }) => status !== "closed")).toHaveLength(1);
    expect((await tab.hold()).stored).toBeUndefined();
  });

  it.each(["close", "pageHide"] as const)("QUE-3 is left to others again at %s", async (end) => {
    const { storage, stage, secret } = await leftBehind(["a", "b"]);
    const link = await welcome(stage);
    link.ack(link.of("publish")[0]!, 1);
    if (end === "close") await stage.client.close();
    else stage.page?.pageHide();
    await stage.stored();
    expect(link.status).toBe("closed");
    const next = memoryStorage({ beside: storage });
    const sessions = [(await next.hold()).stored, (await next.hold()).stored];
    expect(sessions.find((session) => session?.identity.secret === secret)?.publishes).toMatchObject([{ n: 2, payload: note("b"), attempted: true }]);
  });

  it("QUE-3 gives up when its retries are exhausted, and tries again when the tab that took it up is connected anew", async () => {
    const { stage } = await leftBehind(["a"], { reconnectAttemptsMax: 0 });
    const [own] = stage.transport.links;
    stage.link.cut();
    own?.cut();
    stage.environment.pass(60_000);
    expect(stage.transport.links).toHaveLength(2);
    stage.client.connect();
    await welcome(stage);
    expect(stage.status).toBe("connected");
    expect(stage.transport.links).toHaveLength(4);
    expect(sent(await welcome(stage))).toEqual([[1, true, "a"]]);
  });

  it("QUE-3 is not looked for before the page connects", async () => {
    const storage = memoryStorage();
    const stage = await load(storage);
    const tab = memoryStorage({ beside: storage });
    const other = await load(tab);
    void other.board.publish("note:add", note("a"));
    await other.stored();
    tab.abandon();
    await stage.stored();
    expect(stage.transport.links).toEqual([]);
    stage.connect();
    await stage.stored();
    expect(stage.transport.links).toHaveLength(2);
  });
});
