import { setTimeout as pause } from "node:timers/promises";
import { Crowd } from "../load/crowd.js";
import { joinings } from "../load/room.js";
import { centrifugo, centrifugoKept } from "../peers/centrifugo.js";
import { servedBy, type Served } from "../peers/contenders.js";
import { socketIo, socketIoRecovering } from "../peers/socket-io.js";
import { tutti } from "../peers/tutti.js";
import { ws } from "../peers/ws.js";
import { scenario } from "../scenario.js";

const shapes = { full: { few: 1_000, many: 6_000, settleMs: 2_000 }, tiny: { few: 10, many: 30, settleMs: 50 } };
const membersOfRoom = 1_000;

export const idle = scenario<Served>({
  name: "idle",
  what: `what a connection takes that is authenticated, subscribed to one channel, and silent: the slope between ${shapes.full.few} and ${shapes.full.many}`,
  rounds: 3,
  quantities: [
    { name: "heap", unit: "bytes a connection" },
    { name: "resident", unit: "bytes a connection" },
  ],
  contenders: servedBy([tutti, ws, socketIo, socketIoRecovering, centrifugo, centrifugoKept]),
  comparisons: [
    { quantity: "heap", of: "tutti", to: "ws", by: "difference", goal: { atMost: 1_200 } },
    { quantity: "resident", of: "tutti", to: "socket.io", goal: { atMost: 0.6 } },
  ],
  async load({ peer, server }, size) {
    const { few, many, settleMs } = shapes[size];
    const crowd = new Crowd({ ports: [server.port], wire: peer.wire });
    const measureAt = async (members: number): Promise<{ readonly heap: number | undefined; readonly resident: number }> => {
      await crowd.join(joinings(crowd.size, members, (member) => [`room:${Math.floor(member / membersOfRoom)}`]));
      await pause(settleMs);
      const { residentBytes: resident } = server.usage();
      return { heap: await server.heapUsed(), resident };
    };
    const small = await measureAt(few);
    const large = await measureAt(many);
    crowd.assertWell();
    crowd.close();
    const resident = (large.resident - small.resident) / (many - few);
    if (small.heap === undefined || large.heap === undefined) return { resident };
    return { resident, heap: (large.heap - small.heap) / (many - few) };
  },
});
