import { TuttiError, isFinal, samePosition, type Cancel, type LastSeen, type Position } from "@tutti/protocol";
import { floorOf, isOther, lastSeen, type Broker, type EventRun, type Head, type LoggedEvent, type Page } from "../broker/broker.js";
import type { Lease } from "../commands/lease.js";
import type { ChannelPolicy } from "../policy/policy.js";
import type { Services } from "../services.js";
import { View } from "./view.js";

const PAGE_COUNT = 256;
const RETRY_MS = 1_000;
const LOAD_ATTEMPTS = 5;

/** Whose log is followed, and how its state is reduced, where it has one. */
type Followed = Pick<ChannelPolicy, "name" | "definition">;

export interface FollowerEvents {
  /** The next events, in order. */
  taken(run: EventRun): void;
  /** What came after `from`, up to and including `to`, is lost; `to` is where it goes on. */
  restarted(gap: { readonly from: Position; readonly to: Position }): void;
  /** It cannot be followed any more, and asking again would not help. */
  failed(error: TuttiError): void;
}

type Gap = Extract<Page, { readonly outcome: "gap" }>;

const FOLLOWING = { name: "following" } as const;

type Phase =
  | { readonly name: "opening" }
  | typeof FOLLOWING
  /** Reading from the log. What the bus brings meanwhile is not taken, since the log has it too. `done` never rejects. */
  | { readonly name: "catching-up"; readonly done: Promise<void> }
  /** Reading failed; it goes on after a pause. */
  | { readonly name: "pausing"; readonly cancel: Cancel }
  | { readonly name: "closed"; readonly error: TuttiError };

/** Where to go on after a gap: from the floor where that is the same stream, else from the head. */
export function resumeAfter(last: Position, gap: Gap): LastSeen {
  return last.epoch === gap.floor.epoch && last.seq < gap.floor.seq ? gap.floor : gap.head;
}

/**
 * Follows the log of one channel: takes each event once, in order, whatever the bus loses, repeats or reorders; keeps the view of a channel
 * with state.
 */
export class Follower {
  readonly #services: Services;
  readonly #policy: Followed;
  readonly #events: FollowerEvents;
  readonly #lease: Lease | undefined;
  #phase: Phase = { name: "opening" };
  /** Whether the bus brought something that was not taken. */
  #missed = false;
  /** Whether anything was taken since the last look at the head. */
  #isQuiet = true;
  #last: LastSeen = { epoch: "", seq: 0 };
  #view: View | undefined;
  #unsubscribe: (() => Promise<void>) | undefined;

  /** @param lease while it is over nothing is taken, and what comes is read later: what is taken is for delivery */
  constructor(services: Services, policy: Followed, events: FollowerEvents, lease?: Lease) {
    this.#services = services;
    this.#policy = policy;
    this.#events = events;
    this.#lease = lease;
  }

  /** The last event that was taken. */
  get position(): LastSeen {
    return this.#last;
  }

  get view(): View | undefined {
    return this.#view;
  }

  /** Rejects with what the broker says, or `UNAVAILABLE` where it was closed meanwhile; nothing is left behind then. */
  async open(): Promise<void> {
    // First the bus, then the log: what is appended in between is heard, or read, or both.
    this.#unsubscribe = await this.#broker.subscribe(this.#policy.name, (run) => this.#hear(run));
    try {
      await this.#load();
      this.#assertOpen();
    } catch (error) {
      await this.#leaveBus().catch(() => {});
      throw error;
    }
    if (this.#missed) await this.#catchUp();
    else this.#phase = FOLLOWING;
  }

  /** Whether a look at the log's head is due: nothing was taken since this was asked last, and nothing is being read. */
  beginLook(): boolean {
    const wasQuiet = this.#isQuiet;
    this.#isQuiet = true;
    return wasQuiet && this.#phase.name === "following";
  }

  /** Reads the log where its head, asked for when the look began, is another than ours; what is returned never rejects. */
  endLook(head: Head): Promise<void> | undefined {
    // What was taken meanwhile is not in that head, and has shown by itself whether it follows.
    const isOver = !this.#isQuiet || this.#phase.name !== "following";
    return isOver || this.#isAt(head) ? undefined : this.#catchUp();
  }

  /** Takes what the log holds and was not taken yet. Rejects where that cannot be had now. */
  async refresh(): Promise<void> {
    const head = await this.#broker.head(this.#policy.name);
    if (this.#isAt(head)) return;
    await this.#reachHead(this.#phase);
    if (this.#is("pausing")) throw new TuttiError("UNAVAILABLE", { message: `the log of ${this.#policy.name} cannot be read now` });
  }

  async close(): Promise<void> {
    if (this.#phase.name === "pausing") this.#phase.cancel();
    this.#phase = { name: "closed", error: new TuttiError("UNAVAILABLE", { message: `${this.#policy.name} was closed` }) };
    await this.#leaveBus();
  }

  async #reachHead(phase: Phase): Promise<void> {
    switch (phase.name) {
      case "following":
        return this.#catchUp();
      case "catching-up":
        return phase.done;
      case "pausing":
        phase.cancel();
        return this.#catchUp();
      case "closed":
        throw phase.error;
      case "opening":
    }
  }

  async #leaveBus(): Promise<void> {
    const unsubscribe = this.#unsubscribe;
    this.#unsubscribe = undefined;
    await unsubscribe?.();
  }

  /** Whether it is the head that was seen last, and the same event stands there. */
  #isAt(head: Head): boolean {
    return samePosition(head.position, this.#last) && !isOther(head, this.#last);
  }

  get #broker(): Broker {
    return this.#services.broker;
  }

  #hear(run: EventRun): void {
    if (this.#phase.name !== "following") {
      this.#missed = true;
      return;
    }
    if (this.#lease?.isHeld === true) return void this.#catchUp();
    const { epoch, seq: lastSeq } = this.#last;
    const fresh = run.epoch === epoch ? run.events.filter(({ seq }) => seq > lastSeq) : run.events;
    if (isReplaced(this.#last, run)) return void this.#catchUp();
    const first = fresh[0];
    if (first === undefined) return;
    const follows = run.epoch === epoch && first.prev === lastSeq;
    if (follows || this.#services.guards.chain === false) this.#take({ epoch: run.epoch, events: fresh });
    else void this.#catchUp();
  }

  #take(run: EventRun): void {
    const last = run.events.at(-1);
    if (last === undefined) return;
    this.#isQuiet = false;
    for (const event of run.events) this.#view?.apply(run.epoch, event);
    this.#last = seen(run.epoch, last);
    this.#events.taken(run);
  }

  /** Reads from the log until there is nothing more, and where that fails, again after a pause. Never rejects. */
  #catchUp(): Promise<void> {
    const done = Promise.resolve()
      .then(() => this.#readToHead())
      .catch((error: unknown) => (error instanceof TuttiError && isFinal(error.code) ? this.#giveUp(error) : this.#pause(error)));
    this.#phase = { name: "catching-up", done };
    return done;
  }

  async #readToHead(): Promise<void> {
    while (!this.#is("closed")) {
      await this.#leased();
      this.#missed = false;
      const page = await this.#broker.read(this.#policy.name, this.#last, { countMax: PAGE_COUNT });
      if (this.#is("closed")) return;
      if (page.outcome === "gap") await this.#restart(page);
      else if (page.run.events.length > 0) this.#take(page.run);
      else if (!this.#missed) {
        this.#phase = FOLLOWING;
        return;
      }
    }
  }

  /** Resolves when what is taken may be delivered. */
  async #leased(): Promise<void> {
    while (this.#lease?.isOver === true) await this.#lease.renewal();
  }

  #giveUp(error: TuttiError): void {
    if (this.#is("closed")) return;
    const { log } = this.#services;
    log.error("a channel cannot be followed any more", { channel: this.#policy.name, error });
    this.#phase = { name: "closed", error };
    this.#leaveBus().catch((cause: unknown) => log.warn("leaving the bus failed", { channel: this.#policy.name, error: cause }));
    this.#events.failed(error);
  }

  #pause(error: unknown): void {
    if (this.#is("closed")) return;
    this.#services.log.warn("reading a channel's log failed, trying again", { channel: this.#policy.name, error });
    const cancel = this.#services.environment.after(RETRY_MS, () => void this.#catchUp());
    this.#phase = { name: "pausing", cancel };
  }

  async #restart(gap: Gap): Promise<void> {
    const from: Position = { epoch: this.#last.epoch, seq: this.#last.seq };
    if (this.#policy.definition.state === undefined) this.#last = resumeAfter(from, gap);
    else await this.#load();
    await this.#leased();
    this.#events.restarted({ from, to: { epoch: this.#last.epoch, seq: this.#last.seq } });
  }

  /** Finds where the log stands and, where the channel has state, reduces what the newest snapshot does not hold. */
  async #load(attempt = 1): Promise<void> {
    const { name, definition } = this.#policy;
    const { state } = definition;
    const head = await this.#broker.head(name);
    if (state === undefined) {
      this.#last = lastSeen(head);
      return;
    }
    const types = Object.keys(definition.events ?? {});
    const snapshot = await this.#broker.loadSnapshot(name);
    let view = new View(state, types, snapshot, floorOf(head));
    let gap = await this.#reduceLog(view);
    if (gap !== undefined && snapshot !== undefined && isWhole(gap, snapshot.position.epoch)) {
      // The snapshot holds an event that this log does not have, so nothing leads on from there; but the log has all from its beginning.
      this.#services.log.warn("a snapshot of what the log does not have was passed over", { channel: name });
      view = new View(state, types, undefined, gap.floor);
      gap = await this.#reduceLog(view);
    }
    if (gap !== undefined) {
      // The log changed under our eyes: another epoch, or trimmed below a snapshot that is newer than ours.
      if (attempt < LOAD_ATTEMPTS) return this.#load(attempt + 1);
      throw new TuttiError("UNAVAILABLE", { message: `the log of ${name} does not reach back to its snapshot` });
    }
    this.#view = view;
    this.#last = view.position;
  }

  /** Takes into the view what the log has after it, up to the head; the gap where the log does not go on from there. */
  async #reduceLog(view: View): Promise<Gap | undefined> {
    for (;;) {
      const page = await this.#broker.read(this.#policy.name, view.position, { countMax: PAGE_COUNT });
      if (page.outcome === "gap") return page;
      const { epoch, events } = page.run;
      if (events.length === 0) return undefined;
      for (const event of events) view.apply(epoch, event);
    }
  }

  /** The phase changes during awaits, which the compiler does not see in a comparison. */
  #is(name: Phase["name"]): boolean {
    return this.#phase.name === name;
  }

  #assertOpen(): void {
    if (this.#phase.name === "closed") throw this.#phase.error;
  }
}

/** Whether all that was ever logged in the epoch can be read. */
function isWhole({ floor }: Gap, epoch: string): boolean {
  return floor.epoch === epoch && floor.seq === 0;
}

function seen(epoch: string, { seq, eventId }: LoggedEvent): LastSeen {
  return { epoch, seq, eventId };
}

/** Whether another event stands where the last one was: the log lost its tail and went on. */
function isReplaced({ epoch, seq, eventId }: LastSeen, { epoch: epochOfRun, events, before }: EventRun): boolean {
  if (eventId === undefined || epochOfRun !== epoch) return false;
  const isOtherBefore = before !== undefined && before !== eventId && events[0]?.prev === seq;
  return isOtherBefore || events.some((event) => event.seq === seq && event.eventId !== eventId);
}
