import { Crowd } from "../load/crowd.js";
import { durationsOf, offer, type Borne } from "../load/offer.js";
import { openLoop } from "../load/open-loop.js";
import { joinings } from "../load/room.js";
import { centrifugo, centrifugoKept } from "../peers/centrifugo.js";
import { alone, onRedis, type Nodes } from "../peers/nodes.js";
import { socketIo, socketIoOnStreams } from "../peers/socket-io.js";
import { tutti } from "../peers/tutti.js";
import { scenario } from "../scenario.js";

const pairs = 20;
const quietPerSecond = 50;
const busyPerSecond = 1_000;
/** The two of a pair are on different nodes, where there are two. */
const channelOf = (member: number): string => `room:${member >> 1}`;

export const across = scenario<Nodes>({
  name: "across",
  what: `${pairs} rooms of two who are on different nodes: how long a publish takes to its ack and to the other one at ${quietPerSecond} a second in all, and what it costs at ${busyPerSecond}`,
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
    const crowd = new Crowd({ ports: subject.ports, wire: subject.peer.wire, readsAll: true });
    await crowd.join(joinings(0, 2 * pairs, (member) => [channelOf(member)]));
    let next = 0;
    const publishAt = (rate: number): Promise<Borne> =>
      offer(crowd, subject, durationsOf[size], () => {
        const before = next;
        const send = (intendedAt: number): void => {
          const member = next++ % (2 * pairs);
          crowd.publish(member, channelOf(member), intendedAt, 100);
        };
        return { stop: openLoop(rate, send, { isPrecise: true }), due: () => 2 * (next - before) };
      });
    const [redisBefore, nextBefore] = [subject.redisUsage()?.cpuMs, next];
    const { cpuUs } = await publishAt(busyPerSecond);
    const [redisAfter, nextAfter] = [subject.redisUsage()?.cpuMs, next];
    const { ackLatencies, latencies } = await publishAt(quietPerSecond);
    crowd.close();
    const redis = redisBefore === undefined || redisAfter === undefined ? {} : { redis: ((redisAfter - redisBefore) / (nextAfter - nextBefore)) * 1000 };
    return { latency: latencies, ack: ackLatencies, cpu: 2 * cpuUs, ...redis };
  },
});
