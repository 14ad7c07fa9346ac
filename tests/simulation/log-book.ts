import type { Position } from "@tutti/protocol";
import type { LoggedEvent } from "@tutti/server";

/** An event that landed: when, and after which other. */
export type Landed = LoggedEvent & { readonly epoch: string; readonly atMs: number; readonly prevId: string | undefined };

/** One course that the log of a channel took: another begins with a new epoch, or where a log lost its tail and goes on. */
interface Course {
  readonly epoch: string;
  readonly events: readonly Landed[];
}

/** A log as it is found. */
interface Reopened {
  readonly epoch: string;
  readonly floor: number;
  readonly events: readonly LoggedEvent[];
  readonly atMs: number;
}

/**
 * All that ever landed, as the broker's own disk would tell, whatever was trimmed or lost since. It is the truth that the others are held
 * against, so it is written at the append and asks nobody.
 */
export class LogBook {
  /** What was said to have landed, and was not there when a log was opened again. */
  readonly losses: string[] = [];
  readonly #courses = new Map<string, { epoch: string; events: Landed[] }[]>();

  note(channel: string, event: Omit<Landed, "prev" | "prevId">): void {
    const course = this.#courseOf(channel, event.epoch, event.seq - 1);
    const before = course.events.at(-1);
    course.events.push({ ...event, prev: before?.seq ?? 0, prevId: before?.eventId });
  }

  /** The log goes on from `seq`, in the epoch that it had, with the loss of what came after that, or in another. */
  goOn(channel: string, { epoch, seq }: Position): void {
    const courses = this.#courses.get(channel) ?? [];
    const course = courses.at(-1);
    if (course === undefined) return;
    const kept = course.events.filter((event) => event.seq <= seq);
    if (course.epoch !== epoch || kept.length < course.events.length) courses.push({ epoch, events: under(epoch, kept) });
  }

  /** Holds a log that was opened again against what is known, and takes in what nobody was told of. */
  compare(channel: string, { epoch, floor, events, atMs }: Reopened): void {
    const before = this.courses(channel).at(-1);
    if (before !== undefined && before.epoch !== epoch) this.losses.push(`${channel}: the epoch was ${before.epoch} and is ${epoch}`);
    const known = this.#courseOf(channel, epoch, floor).events;
    const there = new Map(events.map((event) => [event.seq, event]));
    for (const { seq, eventId } of known) {
      const found = there.get(seq)?.eventId;
      if (seq > floor && found !== eventId) this.losses.push(`${channel}: ${eventId} was at ${epoch}-${seq}, where ${found ?? "nothing"} is now`);
    }
    const last = known.at(-1)?.seq ?? 0;
    for (const { prev: _, ...event } of events) if (event.seq > last) this.note(channel, { ...event, epoch, atMs });
  }

  /** The events of an epoch in its latest course. */
  events(channel: string, epoch: string): readonly Landed[] {
    return this.courses(channel).findLast((course) => course.epoch === epoch)?.events ?? [];
  }

  /** The courses of a channel, the oldest first; those of one epoch begin alike. */
  courses(channel: string): readonly Course[] {
    return this.#courses.get(channel) ?? [];
  }

  /** What stood at a position, the latest course first. */
  at(channel: string, { epoch, seq }: Position): readonly Landed[] {
    const courses = this.courses(channel).filter((course) => course.epoch === epoch);
    return courses.toReversed().flatMap(({ events }) => find(events, seq) ?? []);
  }

  /** The course of an epoch; a new one goes on, under its own name, from what the last one had up to `seq`: that was kept. */
  #courseOf(channel: string, epoch: string, seq: number): { readonly events: Landed[] } {
    const courses = this.#courses.get(channel) ?? [];
    this.#courses.set(channel, courses);
    const last = courses.at(-1);
    if (last?.epoch === epoch) return last;
    const course = { epoch, events: under(epoch, (last?.events ?? []).filter((event) => event.seq <= seq)) };
    courses.push(course);
    return course;
  }
}

/** What a log that goes on has, under the name of its epoch. */
function under(epoch: string, events: readonly Landed[]): Landed[] {
  return events.map((event) => (event.epoch === epoch ? event : { ...event, epoch }));
}

/** Logs count by ones, mostly: looked up at once, or by a search. */
function find(events: readonly Landed[], seq: number): Landed | undefined {
  const guess = events[seq - 1];
  return guess?.seq === seq ? guess : events.find((event) => event.seq === seq);
}
