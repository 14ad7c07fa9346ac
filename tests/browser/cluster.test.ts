import { existsSync } from "node:fs";
import { join } from "node:path";
import { Program, freePort, hasNginx, hasRedis } from "@tutti/cluster";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { hasChromium } from "./chromium.js";
import { expectSameContent } from "./same-content.js";
import { closeBoth, meet, suiteBrowser } from "./two-people.js";
import { addConcept, connected, type Visitor } from "./visitor.js";

const program = join(import.meta.dirname, "../../cluster/dist/main.js");
const startMsMax = 40_000;
/** A part that died is back after five seconds, and a page then comes back at a moment of its own. */
const poll = { timeout: 30_000, interval: 50 };

/** `npm run cluster`, and what it tells. */
class Cluster {
  readonly url: string;
  readonly #program: Program;

  private constructor(running: Program, url: string) {
    this.#program = running;
    this.url = url;
  }

  static async start(): Promise<Cluster> {
    if (!existsSync(program)) throw new Error('the cluster is not built: run "npm run build"');
    const running = await Program.start(process.execPath, [program], { env: { ...process.env, PORT: String(await freePort()) } });
    const [, url = ""] = await running.printed(/(http:\/\/localhost:\d+)[^]*Ctrl-C/, startMsMax);
    return new Cluster(running, url);
  }

  /** The process that a part has now. */
  pidOf(part: string): number {
    const named = [...this.#program.output.matchAll(/(node \d|Redis|nginx)(?: is back, as)?\s+process (\d+)/g)];
    const pid = named.findLast(([, name]) => name === part)?.[2];
    if (pid === undefined) throw new Error(`${part} has no process`);
    return Number(pid);
  }

  /** How many are connected to each node. */
  connections(): ReadonlyMap<string, number> {
    const line = this.#program.output.split("\n").findLast((text) => text.includes("connected to")) ?? "";
    return new Map(Array.from(line.matchAll(/(node \d): (\d+)/g), ([, name = "", count]) => [name, Number(count)]));
  }

  /** What it said of a part: that it ended, and that it is back. */
  says(text: string): Promise<unknown> {
    return this.#program.printed(new RegExp(text), poll.timeout);
  }

  /** As Ctrl-C does. */
  stop(): Promise<unknown> {
    return this.#program.stop("SIGINT");
  }
}

describe.skipIf(!hasChromium || !hasRedis() || !hasNginx())("the canvas on three nodes (needs redis, needs nginx)", () => {
  const browser = suiteBrowser();
  let cluster: Cluster;
  let ada: Visitor;
  let bo: Visitor;

  beforeEach(async () => {
    cluster = await Cluster.start();
    ({ ada, bo } = await meet(browser(), cluster.url, cluster.url));
    await ada.page.getByRole("button", { name: "Bo", exact: true }).waitFor();
  });
  afterEach(async () => {
    await closeBoth({ ada, bo });
    await cluster?.stop();
  });

  it("CON-7, PRE-1 people at different nodes see each other, and go on when each of the nodes was killed and Redis too", async () => {
    await expect.poll(() => [...cluster.connections().values()].toSorted((a, b) => a - b), poll).toEqual([0, 1, 1]);
    await addConcept(ada, "From one node", 300, 150);
    await bo.concept("From one node").waitFor();

    for (const [index, node] of ["node 1", "node 2", "node 3"].entries()) {
      process.kill(cluster.pidOf(node), "SIGKILL");
      await addConcept(bo, `After ${node}`, 300, 250 + 80 * index);
      await ada.concept(`After ${node}`).waitFor();
      await cluster.says(`${node} is back`);
      await Promise.all([connected(ada), connected(bo)]);
    }
    process.kill(cluster.pidOf("Redis"), "SIGKILL");
    await cluster.says("Redis ended");
    await addConcept(bo, "While Redis is away", 600, 250);
    await bo.concept("While Redis is away").and(bo.page.locator("[data-pending=true]")).waitFor();
    await expect.poll(() => ada.concepts.count(), poll).toBe(5);
    await expect.poll(() => bo.page.locator("[data-pending=true]").count(), poll).toBe(0);

    expect(await bo.concepts.count()).toBe(5);
    await expectSameContent(ada, bo);
    await ada.page.getByRole("button", { name: "Bo", exact: true }).waitFor();
    expect([...ada.complaints, ...bo.complaints]).toEqual([]);
  });
});
