import { setTimeout as pause } from "node:timers/promises";
import { clock } from "../load/clock.js";
import { Crowd } from "../load/crowd.js";
import { joinings } from "../load/room.js";
import { centrifugoKept } from "../peers/centrifugo.js";
import { servedBy, type Served } from "../peers/contenders.js";
import { tutti } from "../peers/tutti.js";
import { scenario } from "../scenario.js";

const shapes = { full: { events: 1_000, joiners: 500 }, tiny: { events: 20, joiners: 5 } };
const channel = "room:one";
const lookMs = 10;
const waitMsMax = 60_000;
const publishedAtOnce = 50;

/** @throws (rejects) Error for what went wrong meanwhile, or where it is not so in time */
async function until(isSo: () => boolean, crowd: Crowd): Promise<void> {
  const giveUpAt = performance.now() + waitMsMax;
  while (!isSo()) {
    crowd.assertWell();
    if (performance.now() > giveUpAt) throw new Error(`${crowd.tally.delivered} deliveries came within ${waitMsMax} ms, and no more`);
    await pause(lookMs);
  }
}

export const late = scenario<Served>({
  name: "late",
  what: `${shapes.full.joiners} who come late replay ${shapes.full.events} events each, 64 at a time`,
  rounds: 5,
  quantities: [
    { name: "cpu", unit: "µs of the server a replayed event" },
    { name: "elapsed", unit: "ms until the last one has everything" },
    { name: "delivered", unit: "% of what was due" },
  ],
  contenders: servedBy([tutti, centrifugoKept]),
  comparisons: [
    { quantity: "cpu", of: "tutti", to: "centrifugo-history" },
    { quantity: "delivered", of: "tutti", goal: { atLeast: 100, atMost: 100 } },
  ],
  async load({ peer, server }, size) {
    const { events, joiners } = shapes[size];
    const early = new Crowd({ ports: [server.port], wire: peer.wire, readsAll: true });
    await early.join(joinings(0, 1, () => [channel]));
    // Who saw the first event knows where the others begin.
    early.publish(0, channel, clock(), 100);
    await until(() => early.tally.delivered === 1, early);
    const resume = early.resumeOf(0);
    for (let published = 1; published <= events; published += publishedAtOnce) {
      const count = Math.min(publishedAtOnce, events + 1 - published);
      for (let index = 0; index < count; index++) early.publish(0, channel, clock(), 100);
      await until(() => early.tally.delivered === published + count, early);
    }
    const crowd = new Crowd({ ports: [server.port], wire: peer.wire, readsAll: true });
    const before = server.usage().cpuMs;
    const startedAt = performance.now();
    await crowd.join(joinings(1, 1 + joiners, () => [channel]).map((joining) => ({ ...joining, resume })));
    await until(() => crowd.tally.delivered >= events * joiners, crowd);
    const elapsed = performance.now() - startedAt;
    const cpuMs = server.usage().cpuMs - before;
    crowd.assertWell();
    const delivered = crowd.seenOf(0).reduce((sum, seen) => sum + seen.size, 0);
    crowd.close();
    early.close();
    return { cpu: (cpuMs * 1000) / (events * joiners), elapsed, delivered: (100 * delivered) / (events * joiners) };
  },
});
