import { setTimeout as pause } from "node:timers/promises";
import { Crowd } from "../load/crowd.js";
import type { Joining } from "../load/wire.js";
import { centrifugo } from "../peers/centrifugo.js";
import type { RunningServer } from "../peers/peer.js";
import { servedBy, type Served } from "../peers/contenders.js";
import { socketIo } from "../peers/socket-io.js";
import { tutti } from "../peers/tutti.js";
import { ws } from "../peers/ws.js";
import { costOf } from "../cost.js";
import { scenario, type Sample } from "../scenario.js";
import { signToken } from "../servers/tokens.js";

const shapes = { full: { warmUp: 2_000, measured: 3_000 }, tiny: { warmUp: 2, measured: 10 } };
const membersOfRoom = 100;
/** So many that the server never waits for the load. */
const joiningAtOnce = 256;

/** A server is quiet that uses less than this of so long. */
const quietMs = 250;
const quietCpuMs = 5;
const looksMax = 40;

/** What it costs that the earlier connections close is no part of what the next ones cost. */
async function untilQuiet(server: RunningServer): Promise<void> {
  for (let looks = 0; looks < looksMax; looks++) {
    const before = server.usage().cpuMs;
    await pause(quietMs);
    if (server.usage().cpuMs - before < quietCpuMs) return;
  }
}

async function withTokens(from: number, to: number): Promise<readonly Joining[]> {
  const members = Array.from({ length: to - from }, (_, index) => from + index);
  return Promise.all(
    members.map(async (member) => ({ member, channels: [`room:${Math.floor(member / membersOfRoom)}`], token: await signToken(`user-${member}`) })),
  );
}

export const connect = scenario<Served>({
  name: "connect",
  what: "connections that show a JWT (HS256) and subscribe to a channel, 256 at a time: each with a token that nobody has seen, and all once more with the same",
  rounds: 5,
  quantities: [
    { name: "cpu, new tokens", unit: "µs of the server a connection" },
    { name: "cpu, known tokens", unit: "µs of the server a connection" },
    { name: "rate, new tokens", unit: "connections/s" },
    { name: "rate, known tokens", unit: "connections/s" },
    { name: "load's core, new tokens", unit: "used", isDetail: true },
    { name: "load's core, known tokens", unit: "used", isDetail: true },
  ],
  contenders: servedBy([tutti, ws, socketIo, centrifugo], { checksTokens: true }),
  comparisons: [
    { quantity: "rate, known tokens", of: "tutti", to: "socket.io", goal: { atLeast: 2 } },
    { quantity: "rate, new tokens", of: "tutti", to: "socket.io", goal: { atLeast: 1.5 } },
    { quantity: "cpu, known tokens", of: "tutti", to: "socket.io" },
    { quantity: "cpu, new tokens", of: "tutti", to: "socket.io" },
  ],
  async load({ peer, server }, size) {
    const { warmUp, measured } = shapes[size];
    const crowd = new Crowd({ ports: [server.port], wire: peer.wire, joiningAtOnce });
    const all = await withTokens(0, warmUp + measured);
    await crowd.join(all.slice(0, warmUp));
    const timed = async (kind: string, work: () => Promise<void>, count: number): Promise<Sample> => {
      const before = server.usage().cpuMs;
      const load = await costOf(work);
      const cpuMs = server.usage().cpuMs - before;
      return {
        [`cpu, ${kind}`]: (cpuMs / count) * 1000,
        [`rate, ${kind}`]: (count / load.elapsedMs) * 1000,
        [`load's core, ${kind}`]: load.cpuMs / load.elapsedMs,
      };
    };
    const fresh = await timed("new tokens", () => crowd.join(all.slice(warmUp)), measured);
    crowd.cutAll();
    await untilQuiet(server);
    const known = await timed("known tokens", () => crowd.rejoin(), all.length);
    crowd.close();
    crowd.assertWell();
    return { ...fresh, ...known };
  },
});
