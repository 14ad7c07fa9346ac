import { Crowd } from "../load/crowd.js";
import { durationsAt, offer } from "../load/offer.js";
import { openLoop } from "../load/open-loop.js";
import { joinings } from "../load/room.js";
import { servedBy, type Served } from "../peers/contenders.js";
import { tutti, tuttiUnsliced } from "../peers/tutti.js";
import { keyOf, scenario, type Figure } from "../scenario.js";

const rates = [10, 50, 200];
const shapes = { full: { members: 9_000, publishers: 50, rates }, tiny: { members: 30, publishers: 3, rates: rates.slice(0, 1) } };
const channel = "room:one";
const at = { what: "publishes/s", points: rates };

export const acks = scenario<Served>({
  name: "acks",
  what: `a room of ${shapes.full.members} is served: how long ${shapes.full.publishers} publishers in it wait for their acks`,
  rounds: 3,
  quantities: [
    { name: "p99 of acks", unit: "ms", at, quantile: { of: "ack", share: 0.99 } },
    { name: "p50 of acks", unit: "ms", at, quantile: { of: "ack", share: 0.5 } },
    { name: "p99", unit: "ms to the delivery", at, quantile: { of: "latency", share: 0.99 } },
    { name: "cpu", unit: "µs of the server a delivery", at },
    { name: "server's core", unit: "used", at, isDetail: true },
  ],
  contenders: servedBy([tutti, tuttiUnsliced]),
  comparisons: rates.flatMap((rate) => [
    { quantity: "p99 of acks", at: rate, of: "tutti", goal: { atMost: 10 } },
    { quantity: "p99 of acks", at: rate, of: "tutti", to: "tutti-unsliced", goal: { atMost: 0.15 } },
  ]),
  async load({ peer, server }, size) {
    const { members, publishers, rates: offered } = shapes[size];
    const crowd = new Crowd({ port: server.port, wire: peer.wire });
    await crowd.join(joinings(0, members, () => [channel]));
    const sample: Record<string, Figure> = {};
    for (const rate of offered) {
      const borne = await offer(crowd, server, durationsAt(size, rate), () => {
        let count = 0;
        // Publishers are found anywhere in the room, not only where its delivery begins.
        const send = (intendedAt: number): void => crowd.publish((count++ % publishers) * Math.floor(members / publishers), channel, intendedAt, 100);
        return { stop: openLoop(rate, send), due: () => count * members };
      });
      Object.assign(sample, {
        [keyOf("ack", rate)]: borne.ackLatencies,
        [keyOf("latency", rate)]: borne.latencies,
        [keyOf("cpu", rate)]: borne.cpuUs,
        [keyOf("server's core", rate)]: borne.serverCpu,
      });
    }
    crowd.close();
    return sample;
  },
});
