import { Pairs, pairCount } from "../load/pairs.js";
import { centrifugo, centrifugoKept } from "../peers/centrifugo.js";
import { servedBy, type Served } from "../peers/contenders.js";
import { socketIo } from "../peers/socket-io.js";
import { tutti } from "../peers/tutti.js";
import { ws } from "../peers/ws.js";
import { scenario } from "../scenario.js";

const perSecond = 50;
const warmUpPerSecond = 1_000;

export const echo = scenario<Served>({
  name: "echo",
  what: `${pairCount} rooms of two, ${perSecond} publishes a second in all: how long a publish takes to its ack and to the other one, where nothing else goes on`,
  rounds: 5,
  quantities: [
    { name: "p50 of acks", unit: "ms", quantile: { of: "ack", share: 0.5 } },
    { name: "p99 of acks", unit: "ms", quantile: { of: "ack", share: 0.99 } },
    { name: "p50", unit: "ms to the delivery", quantile: { of: "latency", share: 0.5 } },
    { name: "p99", unit: "ms to the delivery", quantile: { of: "latency", share: 0.99 } },
    { name: "cpu", unit: "µs of the server a publish" },
  ],
  contenders: servedBy([tutti, ws, socketIo, centrifugo, centrifugoKept]),
  comparisons: [
    { quantity: "p50", of: "tutti", to: "ws" },
    { quantity: "p50 of acks", of: "tutti", to: "ws" },
    { quantity: "p50 of acks", of: "tutti", to: "socket.io" },
  ],
  async load({ peer, server }, size) {
    const pairs = await Pairs.join({ ports: [server.port], wire: peer.wire, server, size });
    // A server that has run for a while has its code compiled; one that has seen fifty publishes has not.
    await pairs.publish(warmUpPerSecond);
    const borne = await pairs.publish(perSecond);
    pairs.close();
    return { ack: borne.ackLatencies, latency: borne.latencies, cpu: 2 * borne.cpuUs };
  },
});
