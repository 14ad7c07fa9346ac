import { RandomStream, SimulatedStorage, type Participant, type StorageConditions } from "@tutti/testkit";
import { Page } from "./page.js";
import type { GuardsOff } from "./profiles.js";
import type { PublishRecord } from "./record.js";
import type { Scene } from "./scene.js";
import type { Seat } from "./seat.js";

const COME_BACK_MS = 3_000;
/** A node may hear of it only when it looks at the head of the log of commands. */
const COME_BACK_LATER_MS = 15_000;
const TABS_MAX = 2;

/** A person at a machine with a browser, who does in its pages all that an application can do. */
export class Actor {
  readonly name: string;
  /** All pages that there ever were, the oldest first. */
  readonly pages: Page[] = [];
  readonly storage: SimulatedStorage;
  readonly #scene: Scene;
  readonly #seed: number;
  readonly #guards: GuardsOff;
  /** The person's own time: it goes on whatever becomes of the pages, and stands still while the machine sleeps. */
  readonly #machine: Participant;
  /** How long this actor waits between two acts, on average. */
  readonly #paceMs: number;
  #actCount = 0;
  #user: string;
  /** The page of each tab. */
  #present: readonly Page[];

  constructor(scene: Scene, name: string, seed: number, guards: GuardsOff) {
    this.name = name;
    this.#user = name;
    this.#scene = scene;
    this.#seed = seed;
    this.#guards = guards;
    this.#machine = scene.newProcess(`${name}'s machine`);
    this.#paceMs = new RandomStream(seed, `pace of ${name}`).between(600, 4_500);
    this.storage = new SimulatedStorage({ clock: scene.clock, seed, name: `${name}'s browser`, ...(guards.storage && { promises: guards.storage }) });
    this.storage.conditions = scene.weather.storage();
    this.#present = [this.#load("first")];
  }

  /** Who the person is to the server now. */
  get user(): string {
    return this.#user;
  }

  /** The pages that are there now; none while the machine is off. */
  get presentPages(): readonly Page[] {
    return this.#present;
  }

  get publishes(): readonly PublishRecord[] {
    return this.pages.flatMap(({ publishes }) => publishes);
  }

  /** Starts to act. */
  open(): void {
    for (const page of this.#present) page.open();
    this.#actAgain();
  }

  /** A page is gone without a word, and comes up anew with what it had stored. */
  reload(random: RandomStream): void {
    const page = this.#anyPage(random);
    page?.stop();
    if (page !== undefined) this.#present = [...this.#present.filter((other) => other !== page), this.#loadOpen(page.tab)];
  }

  /** Opens a second page in the same browser, or closes one of the two for ever. */
  changeTabs(random: RandomStream): void {
    if (this.#present.length < TABS_MAX) {
      if (this.#present.length > 0) this.#present = [...this.#present, this.#loadOpen(`tab ${this.pages.length}`)];
      return;
    }
    const page = this.#anyPage(random);
    if (random.chance(0.5)) page?.close();
    else page?.stop();
    this.#present = this.#present.filter((other) => other !== page);
  }

  /** Somebody else logs in at this machine: all pages come up anew. */
  changeUser(): void {
    if (this.#present.length === 0) return;
    this.#user = this.#user === this.name ? `${this.name}-guest` : this.name;
    for (const page of this.#present) page.stop();
    this.#present = this.#present.map(({ tab }) => this.#loadOpen(tab));
  }

  /** A page goes into the back-forward cache for a while. */
  hide(forMs: number, random: RandomStream): void {
    this.#anyPage(random)?.hide(this.#untilEnd(forMs));
  }

  disturbStorage(conditions: Partial<StorageConditions>, forMs: number): void {
    const before = this.storage.conditions;
    this.storage.conditions = { ...before, ...conditions };
    this.#scene.later(forMs, () => (this.storage.conditions = before));
  }

  goOffline(forMs: number): void {
    for (const page of this.#present) page.goOffline();
    this.#scene.later(forMs, () => {
      for (const page of this.#present) page.comeOnline();
    });
  }

  /** The machine sleeps; where its pages are told, they hear so before and after. */
  sleep(forMs: number, isTold: boolean): void {
    const untilEndMs = this.#untilEnd(forMs);
    this.#machine.freeze(untilEndMs);
    for (const page of this.#present) page.freeze(untilEndMs, isTold);
  }

  /** Not there for a long time: the machine sleeps, or the pages are closed and opened after it. */
  leave(forMs: number, areClosed: boolean): void {
    this.#machine.freeze(forMs);
    if (!areClosed) {
      for (const page of this.#present) page.freeze(forMs, false);
      return;
    }
    const tabs = this.#present.map(({ tab }) => tab);
    for (const page of this.#present) page.stop();
    this.#present = [];
    // Waits until the machine wakes.
    this.#machine.defer(() => (this.#present = tabs.map((tab) => this.#loadOpen(tab))));
  }

  resubscribe(random: RandomStream): void {
    const page = this.#anyPage(random);
    if (page === undefined) return;
    const seat = random.pick(page.seats);
    const rewind = random.chance(0.5) ? undefined : random.chance(0.5) ? { count: random.below(12) } : { ageMs: random.below(8_000) };
    if (!seat.isTaken) void seat.sit(rewind);
    else if (random.chance(0.7)) void seat.leave().then(() => page.process.after(random.between(0, 3_000), () => void seat.sit(rewind)));
    else void seat.leave();
  }

  /** Stops to act, and lets what is under way come to its end. */
  settle(): void {
    this.storage.conditions = { ...this.storage.conditions, isFull: false, isClosed: false };
    for (const page of this.#present) {
      page.comeOnline();
      page.wake();
      // What sends the user away may still be on its way.
      page.process.after(COME_BACK_MS, () => page.comeBack());
      if (this.#scene.cluster.size > 1) page.process.after(COME_BACK_LATER_MS, () => page.comeBack());
    }
  }

  /** A page that somebody can see and touch. */
  #anyPage(random: RandomStream): Page | undefined {
    const { nowMs } = this.#scene.clock;
    const visible = this.#present.filter(({ process }) => process.frozenUntilMs <= nowMs);
    return visible.length === 0 ? undefined : random.pick(visible);
  }

  #untilEnd(forMs: number): number {
    const { clock, endsAtMs } = this.#scene;
    return Math.min(forMs, endsAtMs - clock.nowMs);
  }

  #load(tab: string): Page {
    const count = this.pages.length + 1;
    const name = count === 1 ? this.name : `${this.name}.${count}`;
    const page = new Page(this.#scene, { name, user: this.#user, storage: this.storage, tab, guards: this.#guards.client ?? {} });
    this.pages.push(page);
    return page;
  }

  #loadOpen(tab: string): Page {
    const page = this.#load(tab);
    page.open();
    return page;
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
    const page = this.#anyPage(random);
    if (page === undefined) return;
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
