import { Crowd } from "../load/crowd.js";
import { durationsAt, offer } from "../load/offer.js";
import { startPublishers } from "../load/publishers.js";
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
    { quantity: "p99 of acks", at: rate, of: "tutti", to: "tutti-unsliced" },
  ]),
  async load({ peer, server }, size) {
    const { members, publishers: count, rates: offered } = shapes[size];
    const crowd = new Crowd({ ports: [server.port], wire: peer.wire });
    const first = members - count;
    const half = Math.floor(first / 2);
    await crowd.join(joinings(0, half, () => [channel]));
    // They are found in the middle of the room, and not where its delivery begins.
    const publishers = await startPublishers({ port: server.port, channel, first, count });
    await crowd.join(joinings(half, first, () => [channel]));
    const sample: Record<string, Figure> = {};
    let published = 0;
    for (const rate of offered) {
      const durations = durationsAt(size, rate);
      const before = published;
      const offering = publishers.offer({ perSecond: rate, durations });
      const borne = await offer(crowd, server, durations, () => {
        let due = Number.POSITIVE_INFINITY;
        void offering.then((report) => (due = (report.published - before) * first));
        return { stop: () => {}, due: () => due };
      });
      const report = await offering;
      published = report.published;
      Object.assign(sample, {
        [keyOf("ack", rate)]: report.acks,
        [keyOf("latency", rate)]: borne.latencies,
        [keyOf("cpu", rate)]: borne.cpuUs,
        [keyOf("server's core", rate)]: borne.serverCpu,
      });
    }
    publishers.close();
    crowd.close();
    return sample;
  },
});
