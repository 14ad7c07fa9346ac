import { Crowd } from "../load/crowd.js";
import { durationsAt, isBorne, offer, offerTooMuch, type Borne } from "../load/offer.js";
import { openLoop } from "../load/open-loop.js";
import { servedBy, type Served } from "../peers/contenders.js";
import { socketIo, socketIoRecovering } from "../peers/socket-io.js";
import { tutti } from "../peers/tutti.js";
import { joinings } from "../load/room.js";
import { centrifugo, centrifugoKept } from "../peers/centrifugo.js";
import { ws, wsOnceATurn } from "../peers/ws.js";
import { keyOf, scenario, type Figure, type Sample, type Size } from "../scenario.js";

const rates = [10, 50, 80, 100, 200, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 24_000];
const shapes = {
  full: { members: 1_000, publishers: 50, bytes: 100, rates, halvings: 2 },
  tiny: { members: 20, publishers: 5, bytes: 100, rates: rates.slice(0, 2), halvings: 0 },
};
const channel = "room:one";

/** Offers more and more, up to what is not borne, and then finds the highest that is. */
async function climb({ peer, server }: Served, size: Size): Promise<Sample> {
  const shape = shapes[size];
  const crowd = new Crowd({ port: server.port, wire: peer.wire });
  await crowd.join(joinings(0, shape.members, () => [channel]));
  const sample: Record<string, Figure> = {};
  let highest: Borne | undefined;
  let [passed, failed] = [0, Number.POSITIVE_INFINITY];
  const at = (rate: number): Promise<Borne | undefined> => {
    // What cannot bear the least has something wrong with it.
    const offered = highest === undefined ? offer : offerTooMuch;
    return offered(crowd, server, durationsAt(size, rate), () => {
      let count = 0;
      const stop = openLoop(rate, (intendedAt) => crowd.publish(count++ % shape.publishers, channel, intendedAt, shape.bytes));
      return { stop, due: () => count * shape.members };
    });
  };
  const attempt = async (rate: number): Promise<Borne | undefined> => {
    let borne = await at(rate);
    // Once more: what somebody else did to the machine is not to end the climb.
    if (borne !== undefined && !isBorne(borne)) borne = await at(rate);
    if (borne !== undefined && isBorne(borne)) [passed, highest] = [rate, borne];
    else failed = rate;
    return borne;
  };
  let last: Borne | undefined;
  for (const rate of shape.rates) {
    last = await attempt(rate);
    for (const [name, figure] of Object.entries(last === undefined ? {} : figuresOf(last))) sample[keyOf(name, rate)] = figure;
    if (failed === rate) break;
  }
  for (let times = 0; times < shape.halvings && failed !== Number.POSITIVE_INFINITY && last !== undefined; times++) last = await attempt((passed + failed) / 2);
  crowd.close();
  if (highest !== undefined) Object.assign(sample, { highest: highest.perSecond, "cpu at the highest": highest.cpuUs, "of its core, the load": highest.loadCpu });
  return sample;
}

const figuresOf = ({ cpuUs, latencies, ackLatencies, share, batch, disordered, loadCpu, serverCpu }: Borne): Record<string, Figure> => ({
  cpu: cpuUs,
  latency: latencies,
  ack: ackLatencies,
  share,
  batch,
  disordered,
  "server's core": serverCpu,
  "load's core": loadCpu,
});

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
  load: climb,
});
