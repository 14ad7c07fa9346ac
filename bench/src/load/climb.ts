import type { Figure, Sample, Size } from "../scenario.js";
import { keyOf } from "../scenario.js";
import type { RunningServer } from "../peers/peer.js";
import type { Crowd } from "./crowd.js";
import { durationsAt, isBorne, offer, offerTooMuch, type Borne } from "./offer.js";
import { openLoop } from "./open-loop.js";

/** What is offered to one room, more and more of it. */
export interface Slope {
  readonly channel: string;
  readonly members: number;
  readonly publishers: number;
  readonly bytes: number;
  /** Publishes a second, rising. */
  readonly rates: readonly number[];
  /** How often the step that was too high is halved. */
  readonly halvings: number;
}

/** Offers more and more, up to what is not borne, and then finds the highest that is. */
export async function climb(crowd: Crowd, server: Pick<RunningServer, "usage">, size: Size, slope: Slope): Promise<Sample> {
  const { channel, members, publishers, bytes, rates, halvings } = slope;
  const sample: Record<string, Figure> = {};
  let highest: Borne | undefined;
  let [passed, failed] = [0, Number.POSITIVE_INFINITY];
  const at = (rate: number): Promise<Borne | undefined> => {
    // What cannot bear the least has something wrong with it.
    const offered = highest === undefined ? offer : offerTooMuch;
    return offered(crowd, server, durationsAt(size, rate), () => {
      let count = 0;
      const stop = openLoop(rate, (intendedAt) => crowd.publish(count++ % publishers, channel, intendedAt, bytes));
      return { stop, due: () => count * members };
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
  for (const rate of rates) {
    last = await attempt(rate);
    for (const [name, figure] of Object.entries(last === undefined ? {} : figuresOf(last))) sample[keyOf(name, rate)] = figure;
    if (failed === rate) break;
  }
  for (let times = 0; times < halvings && failed !== Number.POSITIVE_INFINITY && last !== undefined; times++) last = await attempt((passed + failed) / 2);
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
