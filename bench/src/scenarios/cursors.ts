import { Crowd } from "../load/crowd.js";
import { durationsOf, isBorne, offer, offerTooMuch, type Borne } from "../load/offer.js";
import { metronomes } from "../load/open-loop.js";
import { joinings } from "../load/room.js";
import { servedBy, type Served } from "../peers/contenders.js";
import { centrifugo } from "../peers/centrifugo.js";
import { socketIo } from "../peers/socket-io.js";
import { tutti, tuttiHolding } from "../peers/tutti.js";
import { ws } from "../peers/ws.js";
import { keyOf, scenario, type Figure, type Sample, type Size } from "../scenario.js";

const perSecondEach = 20;
const crowds = [20, 40, 60, 80, 120, 200, 400, 800, 1_000, 1_200];
const shapes = { full: { crowds, bytes: 100 }, tiny: { crowds: crowds.slice(0, 1), bytes: 100 } };
const channel = "room:one";
/** A cursor that moved on before it was sent is not sent where it was. */
const shareMin = 0.9;

/** More and more people come, until it is too much. */
async function fill({ peer, server }: Served, size: Size): Promise<Sample> {
  const { crowds: sizes, bytes } = shapes[size];
  const crowd = new Crowd({ ports: [server.port], wire: peer.wire });
  const sample: Record<string, Figure> = {};
  let people = 0;
  const move = (count: number): Promise<Borne | undefined> => {
    // What cannot bear the fewest has something wrong with it.
    const offered = people === 0 ? offer : offerTooMuch;
    return offered(crowd, server, durationsOf[size], () => {
      let moves = 0;
      const stop = metronomes(count, perSecondEach, (who, intendedAt) => {
        moves++;
        crowd.signal(who, channel, intendedAt, bytes);
      });
      return { stop, due: () => moves * count };
    });
  };
  for (const next of sizes) {
    await crowd.join(joinings(crowd.size, next, () => [channel]));
    let borne = await move(next);
    if (borne !== undefined && !isBorne(borne, shareMin)) borne = await move(next);
    if (borne === undefined) break;
    const { cpuUs, latencies, share, batch, serverCpu, loadCpu } = borne;
    Object.assign(sample, {
      [keyOf("cpu", next)]: cpuUs,
      [keyOf("latency", next)]: latencies,
      [keyOf("share", next)]: share,
      [keyOf("batch", next)]: batch,
      [keyOf("server's core", next)]: serverCpu,
      [keyOf("load's core", next)]: loadCpu,
    });
    if (!isBorne(borne, shareMin)) break;
    people = next;
  }
  crowd.close();
  return { ...sample, people };
}

const at = { what: "people", points: crowds };

export const cursors = scenario<Served>({
  name: "cursors",
  what: `one room, in which everybody moves a cursor ${perSecondEach} times a second and sees all others, no culling`,
  rounds: 3,
  quantities: [
    { name: "people", unit: "with p99 under 100 ms and nine in ten moves delivered" },
    { name: "cpu", unit: "µs of the server a delivery", at },
    { name: "p50", unit: "ms", at, quantile: { of: "latency", share: 0.5 } },
    { name: "p99", unit: "ms", at, quantile: { of: "latency", share: 0.99 } },
    { name: "share", unit: "of what was due", at, isDetail: true },
    { name: "batch", unit: "deliveries a message", at, isDetail: true },
    { name: "server's core", unit: "used", at, isDetail: true },
    { name: "load's core", unit: "used", at, isDetail: true },
  ],
  contenders: servedBy([tutti, tuttiHolding, ws, socketIo, centrifugo]),
  comparisons: [
    { quantity: "people", of: "tutti", to: "socket.io", goal: { atLeast: 10 } },
    { quantity: "people", of: "tutti", goal: { atLeast: 1_000 } },
  ],
  load: fill,
});
