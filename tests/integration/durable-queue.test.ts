import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileStorage } from "@tutti/client/node";
import { afterEach, beforeEach, describe, expect, it, onTestFailed } from "vitest";
import { chanceOf, roundsOf, seed } from "./durable/chance.js";
import { contentsOf, difference, idOf } from "./durable/contents.js";
import { Setting, feed } from "./durable/setting.js";
import { urlOf } from "./loopback.js";
import type { Said } from "./processes/log-publisher.js";
import type { Program } from "./program.js";

const lives = roundsOf(15);
/** A port where nobody listens. */
const nobodyThere = 9;

let setting: Setting;

beforeEach(async () => {
  setting = await Setting.open();
  onTestFailed(() => console.error(`TUTTI_SEED=${seed}`));
});

afterEach(() => setting.end());

interface Life {
  readonly name: string;
  /** What it heard of as acknowledged. */
  readonly acknowledged: readonly string[];
  /** What was stored and not settled when it was killed. */
  readonly stored: readonly string[];
}

const numberOf = (id: string): number => Number(id.split("-")[1]);

async function storedIn(file: string): Promise<readonly string[]> {
  const held = await fileStorage(file).hold();
  await held.release();
  return (held.stored?.publishes ?? []).map(idOf);
}

describe("the queue of a client", () => {
  it(`QUE-1, QUE-2, INV-1, INV-4, INV-8: after kill -9, ${lives} times, what was stored lands once, in order, and nothing else does`, async () => {
    const chance = chanceOf("client is killed");
    const { server, port } = await setting.serve();
    const file = join(setting.place, "queue");
    const lived: Life[] = [];
    const live = async (name: string, where: number, until: (client: Program<Said>) => Promise<unknown>): Promise<void> => {
      const client = setting.start<Said>("log-publisher", [urlOf(where), file, name]);
      const first = await client.next();
      await until(client);
      await client.kill();
      const acknowledged = [first, ...client.take()].flatMap((said) => said.acknowledged ?? []);
      const stored = (await storedIn(file)).filter((id) => id.startsWith(`${name}-`));
      lived.push({ name, acknowledged, stored });
    };
    for (let round = 0; round < lives; round++) {
      // Now and then nobody answers, so that there is only the file.
      const isOffline = chance.chance(0.25);
      await live(`life${round}`, isOffline ? nobodyThere : port, () => pause(chance.below(200)));
    }
    // Behind all the others: when one of these is acknowledged, so are they.
    await live("last", port, (client) => client.next());
    await server.kill();

    const ids = (await contentsOf(setting.directory, feed)).events.map(idOf);
    const landed = (name: string): number => ids.filter((id) => id.startsWith(`${name}-`)).length;
    expect(difference(ids, lived.flatMap(({ name }) => Array.from({ length: landed(name) }, (_, index) => `${name}-${index}`)))).toBeUndefined();
    for (const { name, acknowledged, stored } of lived) {
      expect(landed(name)).toBeGreaterThanOrEqual(Math.max(0, ...acknowledged.map(numberOf).map((number) => number + 1)));
      const last = stored.at(-1);
      if (last !== undefined && name !== "last") expect(`${name}: ${landed(name)}`).toBe(`${name}: ${numberOf(last) + 1}`);
    }
    const left = lived.filter(({ stored }) => stored.length > 0).length;
    console.log(`${ids.length} events of ${lives} lives, ${left} of them left something behind, seed ${seed}`);
    expect(left).toBeGreaterThan(0);
  }, 30_000 + lives * 3_000);
});
