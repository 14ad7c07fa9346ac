import { memoryStorage } from "@tutti/client";
import { RandomStream, type Participant } from "@tutti/testkit";
import { Page, type ClientGuards } from "./page.js";
import type { PublishRecord } from "./record.js";
import type { Scene } from "./scene.js";
import type { Seat } from "./seat.js";

const COME_BACK_MS = 3_000;

/** A person at a machine, with a page open, who does all that an application can do. */
export class Actor {
  readonly name: string;
  /** All pages that there ever were, the oldest first. */
  readonly pages: Page[] = [];
  readonly #scene: Scene;
  readonly #seed: number;
  readonly #guards: ClientGuards;
  readonly #storage = memoryStorage();
  readonly #publishCounts = new Map<string, number>();
  /** The person's own time: it goes on whatever becomes of the pages, and stands still while the machine sleeps. */
  readonly #machine: Participant;
  /** How long this actor waits between two acts, on average. */
  readonly #paceMs: number;
  #actCount = 0;
  #page: Page;

  constructor(scene: Scene, name: string, seed: number, guards: ClientGuards) {
    this.name = name;
    this.#scene = scene;
    this.#seed = seed;
    this.#guards = guards;
    this.#machine = scene.newProcess(`${name}'s machine`);
    this.#paceMs = new RandomStream(seed, `pace of ${name}`).between(600, 4_500);
    this.#page = this.#load();
  }

  get page(): Page {
    return this.#page;
  }

  get user(): string {
    return this.#page.user;
  }

  /** The pages that are there now. */
  get presentPages(): readonly Page[] {
    return [this.#page];
  }

  get publishes(): readonly PublishRecord[] {
    return this.pages.flatMap(({ publishes }) => publishes);
  }

  /** Starts to act. */
  open(): void {
    this.#page.open();
    this.#actAgain();
  }

  /** The page is gone without a word, and comes up anew with what it had stored. */
  reload(): void {
    this.#page.stop();
    this.#page = this.#load();
    this.#page.open();
  }

  goOffline(forMs: number): void {
    for (const page of this.presentPages) page.goOffline();
    this.#scene.later(forMs, () => {
      for (const page of this.presentPages) page.comeOnline();
    });
  }

  /** The machine sleeps; where its pages are told, they hear so before and after. */
  sleep(forMs: number, isTold: boolean): void {
    const { clock, endsAtMs } = this.#scene;
    const untilEndMs = Math.min(forMs, endsAtMs - clock.nowMs);
    this.#machine.freeze(untilEndMs);
    for (const page of this.presentPages) page.freeze(untilEndMs, isTold);
  }

  /** Not there for a long time: the machine sleeps, or the page is closed and opened after it. */
  leave(forMs: number, isClosed: boolean): void {
    this.#machine.freeze(forMs);
    if (!isClosed) return this.#page.freeze(forMs, false);
    this.#page.stop();
    // Waits until the machine wakes.
    this.#machine.defer(() => {
      this.#page = this.#load();
      this.#page.open();
    });
  }

  resubscribe(random: RandomStream): void {
    const page = this.#page;
    const seat = random.pick(page.seats);
    if (!seat.isTaken) void seat.sit();
    else if (random.chance(0.7)) void seat.leave().then(() => page.process.after(random.between(0, 3_000), () => void seat.sit()));
    else void seat.leave();
  }

  /** Stops to act, and lets what is under way come to its end. */
  settle(): void {
    for (const page of this.presentPages) {
      page.comeOnline();
      page.wake();
      // What sends the user away may still be on its way.
      page.process.after(COME_BACK_MS, () => page.comeBack());
    }
  }

  #load(): Page {
    const count = this.pages.length + 1;
    const page = new Page(this.#scene, {
      name: count === 1 ? this.name : `${this.name}.${count}`,
      user: this.name,
      storage: this.#storage,
      guards: this.#guards,
      nextToken: (channel) => this.#nextToken(channel),
    });
    this.pages.push(page);
    return page;
  }

  #nextToken(channel: string): string {
    const count = (this.#publishCounts.get(channel) ?? 0) + 1;
    this.#publishCounts.set(channel, count);
    return `${this.name}/${channel}/${count}`;
  }

  #actAgain(): void {
    const part = `${this.name}@${this.#actCount++}`;
    const random = new RandomStream(this.#seed, part);
    const inMs = -Math.log(1 - random.next()) * this.#paceMs;
    this.#machine.after(inMs, () => {
      if (this.#scene.clock.nowMs >= this.#scene.endsAtMs) return;
      if (this.#scene.parts.take(part)) this.#act(random);
      this.#actAgain();
    });
  }

  #act(random: RandomStream): void {
    const page = random.pick(this.presentPages);
    const seat: Seat = random.pick(page.seats);
    const draw = random.next();
    page.comeBack();
    // Who was sent away comes back by an act of their own.
    if (!seat.isTaken && random.chance(0.3)) void seat.sit();
    else if (draw < 0.55) page.publish(seat, random);
    else if (draw < 0.65) for (let count = 2 + random.below(6); count > 0; count--) page.publish(seat, random);
    else if (draw < 0.85) seat.signal(random.below(1_000));
    else if (draw < 0.95) seat.setMood(random.below(1_000));
    else seat.setMood(undefined);
  }
}
