import { silentLog } from "@tutti/server";
import { describe, expect, test } from "vitest";
import { Line } from "../src/line.js";
import type { LinkEvents, RequestLink, Waiting } from "../src/link.js";
import { Requests } from "../src/requests.js";
import { ManualEnvironment, settled } from "./support/manual-environment.js";

type Fate = "opens" | "fails" | "hangs";

/** A link to nowhere: it answers when it is told to. */
class FakeLink implements RequestLink {
  readonly sent: { readonly command: readonly string[]; readonly waiting: Waiting; readonly answer: (reply: unknown) => void; readonly fail: (error: Error) => void }[] = [];
  readonly events: LinkEvents;
  readonly #fate: Fate;
  isDestroyed = false;

  constructor(events: LinkEvents, fate: Fate) {
    this.events = events;
    this.#fate = fate;
  }

  open(): Promise<void> {
    if (this.#fate === "hangs") return new Promise(() => {});
    return this.#fate === "opens" ? Promise.resolve() : Promise.reject(new Error("nobody is there"));
  }

  send(_key: string, command: readonly string[], waiting: Waiting): Promise<unknown> {
    return new Promise((answer, fail) => void this.sent.push({ command, waiting, answer, fail }));
  }

  sendToAll(): Promise<readonly unknown[]> {
    return Promise.resolve([]);
  }

  masterOf(): string {
    return "one";
  }

  masters(): ReadonlyMap<string, string> {
    return new Map([["one", "all"]]);
  }

  destroy(): void {
    this.isDestroyed = true;
    for (const { fail } of this.sent) fail(new Error("destroyed"));
  }
}

/** A line, the links that it made, and what they are to do. */
function lineUnderTest(prepare: (link: FakeLink) => Promise<void> = () => Promise.resolve(), environment = new ManualEnvironment()) {
  const links: FakeLink[] = [];
  const fates: Fate[] = [];
  let usual: Fate = "opens";
  let resumed = 0;
  const line = new Line<FakeLink>({
    environment,
    log: silentLog,
    name: "tests",
    connect: (events) => {
      const link = new FakeLink(events, fates.shift() ?? usual);
      links.push(link);
      return link;
    },
    connectTimeoutMs: 1_000,
    prepareTimeoutMs: 3_000,
    prepare,
    resumed: () => resumed++,
  });
  const allWill = (fate: Fate): void => void (usual = fate);
  return { environment, line, links, fates, allWill, resumed: () => resumed };
}

describe("a line", () => {
  test("RDS-11 says at once that the first link cannot be made, and makes no other by itself", async () => {
    const { environment, line, links, fates } = lineUnderTest();
    fates.push("fails");
    await expect(line.open()).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await environment.advance(60_000);
    expect(links.map(({ isDestroyed }) => isDestroyed)).toEqual([true]);
  });

  test("RDS-6 makes another link where one is lost, again and again, and tells when it stands", async () => {
    const { environment, line, links, fates, resumed } = lineUnderTest();
    await line.open();
    fates.push("fails", "hangs", "fails");
    links[0]?.events.lost(new Error("reset"));
    expect(line.trouble).toBe("reset");
    expect(() => line.link).toThrow(expect.objectContaining({ code: "UNAVAILABLE" }));
    await environment.advance(10_000);
    expect(links).toHaveLength(5);
    expect(line.link).toBe(links[4]);
    expect([line.trouble, resumed()]).toEqual([undefined, 1]);
    expect(links.map(({ isDestroyed }) => isDestroyed)).toEqual([true, true, true, true, false]);
    // What an old link says later is nothing to the new one.
    links[0]?.events.lost(new Error("again"));
    expect(line.link).toBe(links[4]);
    expect(environment.timerCount).toBe(0);
  });

  test("RDS-6 uses no link that is lost while it is prepared", async () => {
    let prepared = 0;
    const { environment, line, links } = lineUnderTest(async (link) => {
      if (++prepared === 2) link.events.lost(new Error("while it was prepared"));
    });
    await line.open();
    line.renew("a test");
    expect(links[0]?.isDestroyed).toBe(true);
    await environment.advance(10_000);
    expect(line.link).toBe(links[2]);
    expect(links[1]?.isDestroyed).toBe(true);
  });

  // Where an attempt may be lost that was begun just before, its time-out comes first.
  test.each([["fails", 500], ["hangs", 1_500]] as const)("RDS-14 stands soon, whenever it can: where an attempt %s before, within %i ms", async (fate, withinMs) => {
    for (let awayMs = 50; awayMs <= 20_000; awayMs += 170) {
      const { environment, line, links, allWill } = lineUnderTest();
      await line.open();
      allWill(fate);
      links[0]?.events.lost(new Error("reset"));
      await environment.advance(awayMs);
      expect(line.trouble).toMatch(/./);
      // Who is away for long is not asked all the time.
      expect(links.length).toBeLessThanOrEqual(6 + awayMs / 250);
      allWill("opens");
      await environment.advance(withinMs);
      expect(line.trouble).toBeUndefined();
    }
  });

  test("RDS-14 has more time to be prepared than to be made, and not for ever", async () => {
    const environment = new ManualEnvironment();
    const { line, links } = lineUnderTest(() => new Promise((resolve) => void environment.after(2_000, resolve)), environment);
    const opened = line.open();
    await environment.advance(2_000);
    await opened;
    expect(links[0]?.isDestroyed).toBe(false);
    const stuck = lineUnderTest(() => new Promise(() => {}));
    const failed = expect(stuck.line.open()).rejects.toMatchObject({ code: "UNAVAILABLE", message: expect.stringContaining("3000 ms") });
    await stuck.environment.advance(3_000);
    await failed;
    expect(stuck.links[0]?.isDestroyed).toBe(true);
  });

  test("RDS-7 makes no link after it was closed, and keeps none that comes then", async () => {
    const { environment, line, links } = lineUnderTest();
    await line.open();
    line.renew("a test");
    line.close();
    await environment.advance(10_000);
    expect(links).toHaveLength(1);
    const other = lineUnderTest();
    other.line.keep();
    other.line.close();
    await other.environment.advance(10_000);
    expect(other.links.map(({ isDestroyed }) => isDestroyed)).toEqual([true]);
    expect(other.environment.timerCount).toBe(0);
  });
});

describe("requests", () => {
  async function requestsUnderTest(requestsMax = 100) {
    const under = lineUnderTest();
    await under.line.open();
    const silences: string[] = [];
    const requests = new Requests(under.environment, under.line, { requestTimeoutMs: 1_000, requestsMax }, (reason) => silences.push(reason));
    return { ...under, requests, silences, link: under.links[0]! };
  }

  test("RDS-7 ends each by its own deadline, with one timer for all, and lets the link know that nobody waits", async () => {
    const { environment, requests, link, line, silences } = await requestsUnderTest();
    const ends: string[] = [];
    const ask = (name: string): void => void requests.send("key", [name]).then(() => ends.push(`${name} answered`), () => ends.push(`${name} rejected`));
    ask("first");
    await environment.advance(600);
    ask("second");
    expect(environment.timerCount).toBe(1);
    await environment.advance(300);
    link.sent[1]?.answer("OK");
    await environment.advance(200);
    expect(ends).toEqual(["second answered", "first rejected"]);
    expect(link.sent.map(({ waiting }) => waiting.isOver)).toEqual([true, false]);
    // Something was answered: the connection is slow, and not dead.
    expect(line.link).toBe(link);
    expect(silences).toEqual([]);
    expect(environment.timerCount).toBe(0);
  });

  test("RDS-7 throws the connection away where nothing was answered, and not for what was asked before a silence that nobody broke", async () => {
    const { environment, requests, link, line, silences } = await requestsUnderTest();
    requests.send("key", ["first"]).catch(() => {});
    link.sent[0]?.answer("OK");
    await environment.advance(50_000);
    const second = expect(requests.send("key", ["second"])).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await environment.advance(900);
    expect(line.link).toBe(link);
    await environment.advance(200);
    await second;
    expect(link.isDestroyed).toBe(true);
    // And whoever has another connection to the same place.
    expect(silences).toHaveLength(1);
  });

  test("RDS-7 counts those that nobody waits for as long as the link holds them", async () => {
    const { environment, requests, link } = await requestsUnderTest(2);
    const both = Promise.allSettled([requests.send("key", ["first"]), requests.send("key", ["second"])]);
    await environment.advance(500);
    link.sent[1]?.answer("OK");
    await environment.advance(600);
    expect((await both).map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
    requests.send("key", ["third"]).catch(() => {});
    await expect(requests.send("key", ["fourth"])).rejects.toMatchObject({ message: expect.stringContaining("requestsMax") });
    link.sent[0]?.fail(new Error("late"));
    await settled();
    requests.send("key", ["fifth"]).catch(() => {});
    expect(link.sent.map(({ command }) => command[0])).toEqual(["first", "second", "third", "fifth"]);
    requests.close();
  });

  test("RDS-7 leaves a server that became a replica", async () => {
    const { requests, link } = await requestsUnderTest();
    const request = expect(requests.send("key", ["write"])).rejects.toMatchObject({ code: "UNAVAILABLE", message: expect.stringContaining("replica") });
    link.sent[0]?.fail(new Error("READONLY You can't write against a read only replica."));
    await request;
    expect(link.isDestroyed).toBe(true);
  });
});
