import type { Retention } from "@tutti/server";
import type { Mark } from "./event-record.js";

/** So many events over what it should keep a channel may hold, so that not each append has to forget one. */
const SLACK_COUNT = 64;
/** Likewise for what events take, as a part of what they may. */
const SLACK_SHARE = 1 / 8;

/**
 * Whether a retention does not want the event at `mark` any more. Where it holds, it holds for all before it. The newest is always wanted,
 * whatever its size.
 */
export function isSpare({ countMin, ageMsMin, countMax, bytesMax }: Retention, mark: Mark, head: Mark, now: number): boolean {
  const behind = head.seq - mark.seq;
  if (behind <= 0) return false;
  return behind >= countMax || head.total - mark.start > bytesMax || (behind >= countMin && now - mark.at >= ageMsMin);
}

/** The event that decides whether enough of a channel is spare: that, and all before it. */
export function edgeOf(floor: Mark): number {
  return floor.seq + SLACK_COUNT;
}

/** Whether enough of a channel is spare to forget it now; `edge` is there where the channel reaches so far. */
export function isDue(retention: Retention, floor: Mark, edge: Mark | undefined, head: Mark, now: number): boolean {
  if (head.total - floor.total > retention.bytesMax * (1 + SLACK_SHARE)) return true;
  return edge !== undefined && isSpare(retention, edge, head, now);
}

/** The last `seq` above `low` up to `high` at which the condition holds, which holds up to some point and not beyond; `low` where it holds nowhere. */
export function lastWhere(low: number, high: number, holds: (seq: number) => boolean): number {
  let [from, to] = [low, high];
  while (from < to) {
    const middle = Math.ceil((from + to) / 2);
    if (holds(middle)) from = middle;
    else to = middle - 1;
  }
  return from;
}
