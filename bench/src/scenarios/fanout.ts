import { climb } from "../load/climb.js";
import { Crowd } from "../load/crowd.js";
import { servedBy, type Served } from "../peers/contenders.js";
import { socketIo, socketIoRecovering } from "../peers/socket-io.js";
import { tutti } from "../peers/tutti.js";
import { joinings } from "../load/room.js";
import { centrifugo, centrifugoKept } from "../peers/centrifugo.js";
import { ws, wsOnceATurn } from "../peers/ws.js";
import { scenario } from "../scenario.js";

const rates = [10, 50, 80, 100, 200, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 24_000];
const shapes = {
  full: { members: 1_000, publishers: 50, bytes: 100, rates, halvings: 2 },
  tiny: { members: 20, publishers: 5, bytes: 100, rates: rates.slice(0, 2), halvings: 0 },
};
const channel = "room:one";

const points = { what: "publishes/s", points: rates };

export const fanout = scenario<Served>({
  name: "fanout",
  what: `a room of ${shapes.full.members}, ${shapes.full.publishers} of them publish ${shapes.full.bytes} B: from idle to saturated`,
  rounds: 3,
  quantities: [
    { name: "highest", unit: "deliveries/s with p99 under 100 ms" },
    { name: "cpu at the highest", unit: "µs of the server a delivery" },
    { name: "of its core, the load", unit: "at the highest", isDetail: true },
    { name: "cpu", unit: "µs of the server a delivery", at: points },
    { name: "p50", unit: "ms", at: points, quantile: { of: "latency", share: 0.5 } },
    { name: "p99", unit: "ms", at: points, quantile: { of: "latency", share: 0.99 } },
    { name: "p99 of acks", unit: "ms", at: points, quantile: { of: "ack", share: 0.99 } },
    { name: "share", unit: "of what was due", at: points, isDetail: true },
    { name: "batch", unit: "deliveries a message", at: points, isDetail: true },
    { name: "disordered", unit: "of those that were read, again or out of order", at: points, isDetail: true },
    { name: "server's core", unit: "used", at: points, isDetail: true },
    { name: "load's core", unit: "used", at: points, isDetail: true },
  ],
  contenders: servedBy([tutti, ws, wsOnceATurn, socketIo, socketIoRecovering, centrifugo, centrifugoKept]),
  comparisons: [
    { quantity: "highest", of: "tutti", to: "socket.io", goal: { atLeast: 100 } },
    { quantity: "highest", of: "tutti", to: "centrifugo", goal: { atLeast: 10 } },
    { quantity: "cpu", at: 80, of: "tutti", to: "socket.io", goal: { atMost: 0.65 } },
    { quantity: "cpu", at: 1_000, of: "tutti", to: "ws", toQuantity: "cpu at the highest", goal: { atMost: 0.15 } },
    ...[10, 50].flatMap((at) => ["p50", "p99"].map((quantity) => ({ quantity, at, of: "tutti", to: "ws", goal: { atMost: 1 } }))),
  ],
  async load({ peer, server }, size) {
    const shape = shapes[size];
    const crowd = new Crowd({ ports: [server.port], wire: peer.wire });
    await crowd.join(joinings(0, shape.members, () => [channel]));
    const sample = await climb(crowd, server, size, { channel, ...shape });
    crowd.close();
    return sample;
  },
});
