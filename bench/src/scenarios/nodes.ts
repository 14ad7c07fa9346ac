import { climb } from "../load/climb.js";
import { Crowd } from "../load/crowd.js";
import { joinings } from "../load/room.js";
import { centrifugo } from "../peers/centrifugo.js";
import { alone, onRedis, type Nodes } from "../peers/nodes.js";
import { socketIo, socketIoOnStreams } from "../peers/socket-io.js";
import { tutti } from "../peers/tutti.js";
import { scenario } from "../scenario.js";

const rates = [10, 50, 200, 1_000, 2_000, 4_000, 8_000, 16_000];
const shapes = {
  full: { members: 1_000, publishers: 50, bytes: 100, rates, halvings: 2 },
  tiny: { members: 20, publishers: 5, bytes: 100, rates: rates.slice(0, 2), halvings: 0 },
};
const channel = "room:one";
const points = { what: "publishes/s", points: rates };

export const nodes = scenario<Nodes>({
  name: "nodes",
  what: `a room of ${shapes.full.members} over two nodes that share a Redis, ${shapes.full.publishers} of them publish ${shapes.full.bytes} B: from idle to saturated`,
  rounds: 3,
  quantities: [
    { name: "a CPU second", unit: "deliveries at the highest load, of all nodes' CPU" },
    { name: "highest", unit: "deliveries/s with p99 under 100 ms, all nodes and Redis on one core" },
    { name: "cpu", unit: "µs of all nodes a delivery", at: points },
    { name: "p50", unit: "ms", at: points, quantile: { of: "latency", share: 0.5 } },
    { name: "p99", unit: "ms", at: points, quantile: { of: "latency", share: 0.99 } },
    { name: "share", unit: "of what was due", at: points, isDetail: true },
    { name: "disordered", unit: "of those that were read, again or out of order", at: points, isDetail: true },
  ],
  contenders: { ...onRedis([tutti, socketIo, socketIoOnStreams, centrifugo]), ...alone([tutti]) },
  comparisons: [
    { quantity: "a CPU second", of: "tutti, two nodes", to: "socket.io, two nodes", goal: { atLeast: 5 } },
    { quantity: "a CPU second", of: "tutti, two nodes", to: "socket.io-streams, two nodes", goal: { atLeast: 5 } },
    { quantity: "a CPU second", of: "tutti, two nodes", to: "centrifugo, two nodes", goal: { atLeast: 1.5 } },
    { quantity: "a CPU second", of: "tutti, two nodes", to: "tutti" },
  ],
  async load(subject, size) {
    const shape = shapes[size];
    const crowd = new Crowd({ ports: subject.ports, wire: subject.peer.wire });
    await crowd.join(joinings(0, shape.members, () => [channel]));
    const sample = await climb(crowd, subject, size, { channel, ...shape });
    crowd.close();
    const { "cpu at the highest": cpuUs } = sample;
    return { ...sample, ...(typeof cpuUs === "number" && { "a CPU second": 1e6 / cpuUs }) };
  },
});
