import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { Crowd } from "../load/crowd.js";
import { offer, type Borne, type Durations } from "../load/offer.js";
import { openLoop } from "../load/open-loop.js";
import { joinings } from "../load/room.js";
import type { RunningServer } from "../peers/peer.js";
import { centrifugo } from "../peers/centrifugo.js";
import { servedBy, type Served } from "../peers/contenders.js";
import { socketIo } from "../peers/socket-io.js";
import { tutti } from "../peers/tutti.js";
import { ws } from "../peers/ws.js";
import { scenario, type Size } from "../scenario.js";
import { quantileOf } from "../statistics.js";

const shapes: Record<Size, { readonly members: number; readonly perSecond: number; readonly bytes: number; readonly without: Durations; readonly with: Durations }> = {
  full: {
    members: 500,
    perSecond: 50,
    bytes: 8_000,
    without: { warmUpMs: 1_000, measuredMs: 8_000, drainMsMax: 5_000 },
    with: { warmUpMs: 1_000, measuredMs: 20_000, drainMsMax: 5_000 },
  },
  tiny: {
    members: 20,
    perSecond: 20,
    bytes: 100,
    without: { warmUpMs: 50, measuredMs: 200, drainMsMax: 500 },
    with: { warmUpMs: 50, measuredMs: 200, drainMsMax: 500 },
  },
};
const stalledOf = 10;
const channel = "room:one";
const pageBytes = 4_096;
const touched: Record<Size, number> = { full: 600_000_000, tiny: 1_000_000 };
const lookMs = 100;

/** What the kernel holds of all TCP sockets of this machine; 0 where it does not say. */
function kernelBytes(): number {
  try {
    return Number(/^TCP:.* mem (\d+)/m.exec(readFileSync("/proc/net/sockstat", "utf8"))?.[1] ?? 0) * pageBytes;
  } catch {
    return 0;
  }
}

/** The most that a server took, and the kernel with it, while some work was done. */
async function peakDuring<Result>(server: RunningServer, work: Promise<Result>): Promise<{ readonly result: Result; readonly resident: number; readonly kernel: number }> {
  const peak = { resident: 0, kernel: 0 };
  const look = (): void => {
    peak.resident = Math.max(peak.resident, server.usage().residentBytes);
    peak.kernel = Math.max(peak.kernel, kernelBytes());
  };
  look();
  const watch = setInterval(look, lookMs);
  try {
    return { result: await work, ...peak };
  } finally {
    clearInterval(watch);
  }
}

/**
 * Lets a process of its own touch as much memory as the kernel is going to take, and end. The first touch of a page costs a virtual machine some ten
 * microseconds, whoever makes it: without this the buffers of those who stall would cost what no server has a part in.
 */
function touchMemory(bytes: number): void {
  execFileSync(process.execPath, ["-e", `Buffer.alloc(${bytes}, 1)`]);
}

const p99 = ({ latencies }: Borne): number => quantileOf(latencies, 0.99);

export const stalled = scenario<Served>({
  name: "stalled",
  what: `a room of ${shapes.full.members}, ${shapes.full.perSecond} events of ${shapes.full.bytes} B a second; one in ${stalledOf} reads nothing any more`,
  rounds: 3,
  quantities: [
    { name: "p99 without", unit: "ms, nobody stalled" },
    { name: "p99 with", unit: "ms, of those who read" },
    { name: "with / without", unit: "p99" },
    { name: "resident", unit: "MB more at most" },
    { name: "kernel", unit: "MB more at most, of both ends" },
  ],
  contenders: servedBy([tutti, ws, socketIo, centrifugo]),
  comparisons: [
    { quantity: "with / without", of: "tutti", goal: { atMost: 1.1 } },
    { quantity: "resident", of: "tutti", to: "ws" },
    { quantity: "resident", of: "tutti", to: "socket.io" },
  ],
  async load({ peer, server }, size) {
    const shape = shapes[size];
    const crowd = new Crowd({ ports: [server.port], wire: peer.wire });
    await crowd.join(joinings(0, shape.members, () => [channel]));
    const stalling = Array.from({ length: shape.members / stalledOf }, (_, index) => (index + 1) * stalledOf - 1);
    const run = (durations: Durations): Promise<Borne> =>
      offer(crowd, server, durations, () => {
        let count = 0;
        // Who stalls does not publish.
        const send = (intendedAt: number): void => crowd.publish((count++ * stalledOf) % shape.members, channel, intendedAt, shape.bytes);
        return { stop: openLoop(shape.perSecond, send), due: () => count * shape.members };
      });
    touchMemory(touched[size]);
    const without = await peakDuring(server, run(shape.without));
    touchMemory(touched[size]);
    const kernelBefore = kernelBytes();
    crowd.stall(stalling);
    const stalledOnes = await peakDuring(server, run(shape.with));
    crowd.close();
    return {
      "p99 without": p99(without.result),
      "p99 with": p99(stalledOnes.result),
      "with / without": p99(stalledOnes.result) / p99(without.result),
      resident: (stalledOnes.resident - without.resident) / 1e6,
      kernel: (stalledOnes.kernel - kernelBefore) / 1e6,
    };
  },
});
