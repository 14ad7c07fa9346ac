// Those in a room who publish, in a process of their own: how long they wait is to be the server's affair, and not that of a load which reads for thousands.
import { constants, setPriority } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import { clock } from "../load/clock.js";
import { Crowd } from "../load/crowd.js";
import type { Durations } from "../load/offer.js";
import { openLoop } from "../load/open-loop.js";
import { joinings } from "../load/room.js";
import { tutti } from "../peers/tutti.js";

/** Who publishes where, from the first of these members on. */
export interface PublishersTask {
  readonly port: number;
  readonly channel: string;
  readonly first: number;
  readonly count: number;
}

export interface PublishersOffer {
  readonly perSecond: number;
  readonly durations: Durations;
}

/** What is told when all are in, and after each offer. */
export interface PublishersReport {
  readonly published: number;
  /** From the moment that was meant, ms. */
  readonly acks: readonly number[];
  readonly problem?: string;
}

const bytes = 100;
const { port, channel, first, count } = JSON.parse(process.argv[2] ?? "") as PublishersTask;
const crowd = new Crowd({ ports: [port], wire: tutti.wire });
let published = 0;

async function offer({ perSecond, durations: { warmUpMs, measuredMs, drainMsMax } }: PublishersOffer): Promise<readonly number[]> {
  const from = clock() + warmUpMs;
  crowd.measure(from, from + measuredMs);
  const stop = openLoop(perSecond, (intendedAt) => crowd.publish(first + (published++ % count), channel, intendedAt, bytes));
  await pause(warmUpMs + measuredMs);
  stop();
  for (let waitedMs = 0; crowd.unacked > 0 && waitedMs < drainMsMax; waitedMs += 100) await pause(100);
  crowd.assertWell();
  return crowd.ackLatencies.kept;
}

function tell(report: PublishersReport): void {
  process.send?.(report);
}

/** Beside a load that is always busy it would wait for its core as long as for the server. Not everybody may be put first. */
function hurry(): void {
  try {
    setPriority(constants.priority.PRIORITY_HIGHEST);
  } catch {
    console.error("the publishers share their core with the load: their acks are shown later than they come");
  }
}

hurry();
process.once("disconnect", () => process.exit());
process.on("message", (wanted: PublishersOffer) => {
  offer(wanted).then(
    (acks) => tell({ published, acks }),
    (error: unknown) => tell({ published, acks: [], problem: String(error) }),
  );
});
await crowd.join(joinings(first, first + count, () => [channel]));
tell({ published, acks: [] });
