import type { Position } from "@tutti/protocol";
import type { LoggedEvent } from "@tutti/server";

/** An event that landed: when, and after which other. */
export type Landed = LoggedEvent & { readonly epoch: string; readonly atMs: number; readonly prevId: string | undefined };

/** One course that the log of a channel took: another begins with a new epoch, or where a log lost its tail and goes on. */
interface Course {
  readonly epoch: string;
  readonly events: readonly Landed[];
}

/**
 * All that ever landed, as the broker's own disk would tell, whatever was trimmed or lost since. It is the truth that the others are held
 * against, so it is written at the append and asks nobody.
 */
export class LogBook {
  readonly #courses = new Map<string, { epoch: string; events: Landed[] }[]>();

  note(channel: string, event: Omit<Landed, "prev" | "prevId">): void {
    const courses = this.#courses.get(channel) ?? [];
    this.#courses.set(channel, courses);
    let course = courses.at(-1);
    if (course?.epoch !== event.epoch) courses.push((course = { epoch: event.epoch, events: [] }));
    const before = course.events.at(-1);
    course.events.push({ ...event, prev: before?.seq ?? 0, prevId: before?.eventId });
  }

  /** The log forgot what came after `seq`, and goes on from there in the same epoch. */
  rollBack(channel: string, epoch: string, seq: number): void {
    const courses = this.#courses.get(channel) ?? [];
    const course = courses.at(-1);
    const kept = course?.events.filter((event) => event.seq <= seq) ?? [];
    if (course?.epoch === epoch && kept.length < course.events.length) courses.push({ epoch, events: kept });
  }

  /** The events of an epoch in its latest course. */
  events(channel: string, epoch: string): readonly Landed[] {
    return this.courses(channel).findLast((course) => course.epoch === epoch)?.events ?? [];
  }

  /** The courses of a channel, the oldest first; those of one epoch begin alike. */
  courses(channel: string): readonly Course[] {
    return this.#courses.get(channel) ?? [];
  }

  /** What stood at a position in any course; with an id only that event. */
  at(channel: string, { epoch, seq }: Position, eventId?: string): Landed | undefined {
    for (const course of this.courses(channel).toReversed()) {
      if (course.epoch !== epoch) continue;
      const landed = find(course.events, seq);
      if (landed !== undefined && (eventId === undefined || landed.eventId === eventId)) return landed;
    }
    return undefined;
  }
}

/** Logs count by ones, mostly: looked up at once, or by a search. */
function find(events: readonly Landed[], seq: number): Landed | undefined {
  const guess = events[seq - 1];
  return guess?.seq === seq ? guess : events.find((event) => event.seq === seq);
}
