import { Crowd } from "../load/crowd.js";
import type { Joining } from "../load/wire.js";
import { centrifugo } from "../peers/centrifugo.js";
import { servedBy, type Served } from "../peers/contenders.js";
import { socketIo } from "../peers/socket-io.js";
import { tutti } from "../peers/tutti.js";
import { ws } from "../peers/ws.js";
import { scenario } from "../scenario.js";
import { signToken } from "../servers/tokens.js";
import { usageOf } from "../usage.js";

const shapes = { full: { warmUp: 2_000, measured: 3_000 }, tiny: { warmUp: 2, measured: 10 } };
const membersOfRoom = 100;

async function withTokens(from: number, to: number): Promise<readonly Joining[]> {
  const members = Array.from({ length: to - from }, (_, index) => from + index);
  return Promise.all(
    members.map(async (member) => ({ member, channels: [`room:${Math.floor(member / membersOfRoom)}`], token: await signToken(`user-${member}`) })),
  );
}

export const connect = scenario<Served>({
  name: "connect",
  what: "connections that show a JWT (HS256) and subscribe to a channel, 64 at a time: each with a token that nobody has seen, and all once more with the same",
  rounds: 5,
  quantities: [
    { name: "cpu, new tokens", unit: "µs of the server a connection" },
    { name: "cpu, known tokens", unit: "µs of the server a connection" },
    { name: "rate, new tokens", unit: "connections/s" },
    { name: "rate, known tokens", unit: "connections/s" },
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
    const crowd = new Crowd({ port: server.port, wire: peer.wire, mayEnd: true });
    const all = await withTokens(0, warmUp + measured);
    await crowd.join(all.slice(0, warmUp));
    const timed = async (work: () => Promise<void>, count: number): Promise<{ readonly cpu: number; readonly rate: number }> => {
      const before = usageOf(server.pid).cpuMs;
      const startedAt = performance.now();
      await work();
      return { cpu: ((usageOf(server.pid).cpuMs - before) / count) * 1000, rate: (count / (performance.now() - startedAt)) * 1000 };
    };
    const fresh = await timed(() => crowd.join(all.slice(warmUp)), measured);
    crowd.cutAll();
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const known = await timed(() => crowd.rejoin(), all.length);
    crowd.close();
    return { "cpu, new tokens": fresh.cpu, "rate, new tokens": fresh.rate, "cpu, known tokens": known.cpu, "rate, known tokens": known.rate };
  },
});
