import { describe, expect, it } from "vitest";
import { Stage } from "./support/stage.js";

const links = (stage: Stage): number => stage.transport.links.length;
const info = (stage: Stage) => stage.client.connection.getSnapshot();

/** A client that has lost its connection and some reconnects after it; it waits for the next. */
function struggling(lostReconnects = 3): Stage {
  const stage = new Stage().connect();
  stage.link.cut();
  for (let count = 0; count < lostReconnects; count++) {
    const before = links(stage);
    while (links(stage) === before) stage.environment.pass(100);
    stage.link.cut();
  }
  return stage;
}

/** A client that has given up. */
function failed(): Stage {
  const stage = struggling(12);
  expect(stage.status).toBe("failed");
  return stage;
}

const ways = [
  ["the page becomes visible", (stage: Stage) => stage.page?.visible()],
  ["the network comes back", (stage: Stage) => (stage.page?.offline(), stage.page?.online())],
  ["a frozen page is resumed", (stage: Stage) => (stage.page?.frozen(), stage.page?.resumed())],
  ["a page comes back from the back-forward cache", (stage: Stage) => (stage.page?.pageHide(), stage.page?.pageShow())],
  ["the application says try now", (stage: Stage) => stage.client.connect()],
  ["the machine wakes up", (stage: Stage) => (stage.environment.sleep(3_600_000), stage.environment.pass(0))],
] as const;

describe("what happens to the page", () => {
  it.each(ways)("CON-4 a client that waits tries at once, with new attempts, when %s", (_name, happen) => {
    const stage = struggling();
    expect(info(stage)).toMatchObject({ status: "reconnecting", reconnectAttempts: 3 });
    const before = links(stage);
    happen(stage);
    expect(links(stage)).toBe(before + 1);
    expect(info(stage)).toMatchObject({ reconnectAttempts: 0, retryAt: undefined });
    stage.link.cut();
    stage.environment.pass(1_000);
    expect(links(stage)).toBe(before + 2);
  });

  it.each(ways)("CON-4 a client that has failed tries at once when %s", (_name, happen) => {
    const stage = failed();
    const before = links(stage);
    stage.environment.pass(3_600_000);
    expect(links(stage)).toBe(before);
    happen(stage);
    expect(links(stage)).toBe(before + 1);
    stage.welcome();
    expect(stage.status).toBe("connected");
  });

  it.each([
    ["offline", "online"],
    ["frozen", "resumed"],
  ] as const)("CON-4 while %s a client that waits stops waiting, and nothing counts", (over, back) => {
    const stage = struggling();
    const before = links(stage);
    stage.page?.[over]();
    expect(info(stage)).toMatchObject({ status: "reconnecting", reconnectAttempts: 0, retryAt: undefined });
    stage.environment.pass(24 * 3_600_000);
    stage.page?.visible();
    expect(links(stage)).toBe(before);
    stage.page?.[back]();
    expect(links(stage)).toBe(before + 1);
  });

  it("CON-4 try now is tried also while offline, and does not count", () => {
    const stage = new Stage().connect();
    stage.page?.offline();
    for (let round = 0; round < 20; round++) {
      stage.link.cut();
      stage.client.connect();
    }
    stage.link.cut();
    expect(info(stage)).toMatchObject({ status: "reconnecting", reconnectAttempts: 0 });
    expect(links(stage)).toBe(21);
  });

  it("CON-10 a page that is left while it connects or waits holds no link and tries nothing", () => {
    const opening = new Stage();
    opening.client.connect();
    opening.page?.pageHide();
    expect(opening.link.status).toBe("closed");
    const waiting = struggling();
    const before = links(waiting);
    waiting.page?.pageHide();
    for (const stage of [opening, waiting]) stage.environment.pass(3_600_000);
    expect([links(opening), links(waiting)]).toEqual([1, before]);
  });

  it("CON-10 a page that comes back without having been away changes nothing but to ask", () => {
    const stage = new Stage().connect();
    stage.page?.pageShow();
    expect(links(stage)).toBe(1);
    expect(stage.link.of("ping")).toHaveLength(1);
  });

  it("CON-10 a client that was closed does not come back with its page", async () => {
    const stage = new Stage().connect();
    const { page } = stage;
    await stage.client.close();
    page?.pageHide();
    page?.pageShow();
    page?.online();
    page?.visible();
    expect(links(stage)).toBe(1);
    expect(stage.status).toBe("closed");
  });

  it("CON-10 subscriptions and what waits are taken up again after the back-forward cache", () => {
    const stage = new Stage().live();
    stage.page?.pageHide();
    void stage.board.publish("note:add", { text: "a" });
    stage.page?.pageShow();
    stage.welcome();
    expect(stage.link.sent.map(({ op }) => op)).toEqual(["hello", "subscribe", "publish"]);
  });
});
