import { setTimeout as pause } from "node:timers/promises";
import { Crowd } from "../load/crowd.js";
import { openLoop } from "../load/open-loop.js";
import { joinings } from "../load/room.js";
import { centrifugo, centrifugoKept } from "../peers/centrifugo.js";
import { servedBy, type Served } from "../peers/contenders.js";
import { socketIo, socketIoRecovering } from "../peers/socket-io.js";
import { tutti } from "../peers/tutti.js";
import { scenario } from "../scenario.js";
import { quantileOf } from "../statistics.js";

const shapes = {
  full: { members: 5_000, perSecond: 4, calmMs: 2_000, awayMs: 2_000, wholeMsMax: 30_000, afterMs: 2_000 },
  tiny: { members: 20, perSecond: 20, calmMs: 200, awayMs: 200, wholeMsMax: 3_000, afterMs: 200 },
};
const channel = "room:one";
const lookMs = 20;
const joiningAtOnce = 500;

/** When each member has everything that was published before all came back, in ms since they set out; `wholeMsMax` for those who never do. */
async function wholeAt(crowd: Crowd, publisher: number, missed: readonly number[], setOutAt: number, wholeMsMax: number): Promise<readonly number[]> {
  const times: number[] = [];
  let waiting = crowd.seenOf(publisher);
  while (waiting.length > 0 && performance.now() - setOutAt < wholeMsMax) {
    await pause(lookMs);
    const now = performance.now() - setOutAt;
    const still = waiting.filter((seen) => missed.some((i) => !seen.has(i)));
    times.push(...Array.from({ length: waiting.length - still.length }, () => now));
    waiting = still;
  }
  return [...times, ...waiting.map(() => wholeMsMax)];
}

export const storm = scenario<Served>({
  name: "storm",
  what: `a room of ${shapes.full.members}, ${shapes.full.perSecond} events a second; every connection is cut, and ${shapes.full.awayMs / 1000} s later all come back at once`,
  rounds: 3,
  quantities: [
    { name: "delivered", unit: "% of what was due" },
    { name: "repeats", unit: "deliveries that came again or out of order" },
    { name: "back", unit: "ms until all are connected" },
    { name: "whole, p99", unit: "ms until a member has what it missed" },
    { name: "whole", unit: "ms until the last member has what it missed" },
  ],
  contenders: servedBy([tutti, socketIo, socketIoRecovering, centrifugo, centrifugoKept]),
  comparisons: [
    { quantity: "delivered", of: "tutti", goal: { atLeast: 100, atMost: 100 } },
    { quantity: "repeats", of: "tutti", goal: { atMost: 0 } },
    { quantity: "whole", of: "tutti", to: "socket.io-recovery", goal: { atMost: 1 } },
  ],
  async load({ peer, server }, size) {
    const { members, perSecond, calmMs, awayMs, wholeMsMax, afterMs } = shapes[size];
    const crowd = new Crowd({ ports: [server.port], wire: peer.wire, readsAll: true, joiningAtOnce });
    await crowd.join(joinings(0, members, () => [channel]));
    const outside = new Crowd({ ports: [server.port], wire: peer.wire });
    const publisher = members;
    await outside.join(joinings(publisher, publisher + 1, () => []));
    let count = 0;
    const stop = openLoop(perSecond, (intendedAt) => {
      count++;
      outside.publish(publisher, channel, intendedAt, 100);
    });
    await pause(calmMs);
    const first = count;
    crowd.cutAll();
    await pause(awayMs);
    const missed = Array.from({ length: count - first }, (_, index) => first + index);
    const setOutAt = performance.now();
    const back = crowd.rejoin().then(() => performance.now() - setOutAt);
    const whole = await wholeAt(crowd, publisher, missed, setOutAt, peer.recovers ? wholeMsMax : calmMs + awayMs);
    const backMs = await back;
    stop();
    await pause(afterMs);
    const delivered = crowd.seenOf(publisher).reduce((sum, seen) => sum + seen.size, 0);
    const { disordered } = crowd.tally;
    crowd.assertWell();
    outside.assertWell();
    crowd.close();
    outside.close();
    return {
      delivered: (100 * delivered) / (count * members),
      repeats: disordered,
      back: backMs,
      ...(peer.recovers && { "whole, p99": quantileOf(whole, 0.99), whole: Math.max(...whole) }),
    };
  },
});
