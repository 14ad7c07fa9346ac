import { Pairs, pairCount } from "../load/pairs.js";
import { centrifugo, centrifugoKept } from "../peers/centrifugo.js";
import { alone, onRedis, type Nodes } from "../peers/nodes.js";
import { socketIo, socketIoOnStreams } from "../peers/socket-io.js";
import { tutti } from "../peers/tutti.js";
import { scenario } from "../scenario.js";

const quietPerSecond = 50;
const busyPerSecond = 1_000;

export const across = scenario<Nodes>({
  name: "across",
  what: `${pairCount} rooms of two who are on different nodes: how long a publish takes to its ack and to the other one at ${quietPerSecond} a second in all, and what it costs at ${busyPerSecond}`,
  rounds: 5,
  quantities: [
    { name: "p50", unit: "ms to the delivery", quantile: { of: "latency", share: 0.5 } },
    { name: "p99", unit: "ms to the delivery", quantile: { of: "latency", share: 0.99 } },
    { name: "p50 of acks", unit: "ms", quantile: { of: "ack", share: 0.5 } },
    { name: "p99 of acks", unit: "ms", quantile: { of: "ack", share: 0.99 } },
    { name: "cpu", unit: "µs of all nodes a publish" },
    { name: "redis", unit: "µs of Redis a publish" },
  ],
  contenders: { ...alone([tutti, socketIo]), ...onRedis([tutti, socketIo, socketIoOnStreams, centrifugo, centrifugoKept]) },
  comparisons: [
    { quantity: "p50", of: "tutti, two nodes", to: "tutti", by: "difference" },
    { quantity: "p50", of: "socket.io, two nodes", to: "socket.io", by: "difference" },
    { quantity: "redis", of: "tutti, two nodes", to: "socket.io, two nodes" },
    { quantity: "redis", of: "tutti, two nodes", to: "socket.io-streams, two nodes" },
    { quantity: "redis", of: "tutti, two nodes", to: "centrifugo-history, two nodes" },
    { quantity: "cpu", of: "tutti, two nodes", to: "socket.io, two nodes" },
  ],
  async load(subject, size) {
    const { peer, ports } = subject;
    const pairs = await Pairs.join({ ports, wire: peer.wire, server: subject, size });
    const before = subject.redisUsage()?.cpuMs;
    const { cpuUs } = await pairs.publish(busyPerSecond);
    const after = subject.redisUsage()?.cpuMs;
    const redis = before === undefined || after === undefined ? {} : { redis: ((after - before) / pairs.published) * 1000 };
    const { ackLatencies, latencies } = await pairs.publish(quietPerSecond);
    pairs.close();
    return { latency: latencies, ack: ackLatencies, cpu: 2 * cpuUs, ...redis };
  },
});
