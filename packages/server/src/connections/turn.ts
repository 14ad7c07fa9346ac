import type { Environment } from "@tutti/protocol";
import type { Lease } from "../commands/lease.js";
import type { Log } from "../log.js";
import type { Bounds } from "../options.js";
import { WriterLine, type Writer } from "./writer-line.js";

/** How many that wait for a turn go on in one: what they do then must not hold up the next. */
const GOING_ON_MAX = 16;
/** How many connections are written to between two looks at the clock. */
const WRITES_A_LOOK = 16;

/** How many outboxes are filled before answers leave: with what comes behind them they are one write, but filling thousands takes milliseconds. */
const FILLED_FIRST_MAX = 512;

/** Has work for the end of the turn. */
export interface TurnTask {
  /** How many outboxes it may fill. */
  readonly subscriptionCount: number;
  /** What it does is for other nodes, and never fills an outbox: no lease keeps it. */
  readonly isForNodes?: true;
  endTurn(): void;
}

interface TurnParts {
  readonly environment: Environment;
  readonly log: Log;
  readonly bounds: Pick<Bounds, "deliverySliceMs" | "deliverySliceWritesMax">;
  /** Whether what came may be delivered; always, unless given. */
  readonly lease?: Pick<Lease, "isOverAt" | "watch">;
}

/**
 * One turn of the event loop after the other: what arrives in one is collected, and leaves from its end on. Channels come first and fill
 * outboxes. Then connections write, each once, whatever they have got: those that are answered at once, and the others for as long as a slice
 * lasts; what is left goes on at the end of the next turn. So an answer waits for a slice at most, and not for all members of all channels.
 *
 * While the node's lease is over channels keep what they have: it is looked at before anything of the turn leaves. What is in an outbox by then was put
 * there under a good one.
 */
export class Turn {
  readonly #environment: Environment;
  readonly #log: Log;
  readonly #bounds: TurnParts["bounds"];
  readonly #lease: TurnParts["lease"];
  readonly #line = new WriterLine();
  #channels = new Set<TurnTask>();
  /** Those that wait for the lease. */
  readonly #held = new Set<TurnTask>();
  /** Some may stand here more than once: there is nothing left to write the second time. */
  #answered: Writer[] = [];
  #waiting: (() => void)[] = [];
  /** When the last slice ended, on the monotonic clock, where it left somebody in line. */
  #pausedAt = Infinity;
  #isHurried = false;
  #isScheduled = false;
  /** Made once: who makes it on each call pays for it also where nothing is to be scheduled. */
  readonly #onEnd = (): void => this.#end();

  constructor({ environment, log, bounds, lease }: TurnParts) {
    this.#environment = environment;
    this.#log = log;
    this.#bounds = bounds;
    this.#lease = lease;
    lease?.watch(() => this.#release());
  }

  /** It has something to fan out. */
  addChannel(channel: TurnTask): void {
    this.#channels.add(channel);
    this.#schedule();
  }

  /** It writes at the end of this turn. */
  writeFirst(writer: Writer): void {
    if (this.#answered.at(-1) !== writer) this.#answered.push(writer);
    this.#schedule();
  }

  /** It writes when those before it have. */
  writeInLine(writer: Writer): void {
    this.#line.join(writer);
    this.#schedule();
  }

  /** Where the line ends now. */
  get mark(): number {
    return this.#line.joined;
  }

  /** Whether everybody has written who stood in line when {@link mark} was this. */
  hasWritten(mark: number): boolean {
    return this.#line.taken >= mark;
  }

  /** At the end of this turn everybody writes, however long that takes: more would be read meanwhile than can be written. */
  hurry(): void {
    this.#isHurried = true;
  }

  /** Resolves after the end of a turn, first come, first served. Long work waits for it between its steps, so that others get theirs. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#environment.defer(this.#onEnd);
  }

  #end(): void {
    this.#isScheduled = false;
    const startedAt = this.#environment.elapsed();
    const isHeld = this.#lease?.isOverAt(startedAt) === true;
    if (!isHeld && this.#fillsMany()) this.#writeAnswers();
    this.#endChannels(isHeld);
    this.#writeAnswers();
    this.#writeSlice(startedAt);
    for (const goOn of this.#waiting.splice(0, GOING_ON_MAX)) goOn();
    if (this.#waiting.length > 0 || !this.#line.isEmpty) this.#schedule();
  }

  #fillsMany(): boolean {
    let count = 0;
    for (const { subscriptionCount } of this.#channels) if ((count += subscriptionCount) > FILLED_FIRST_MAX) return true;
    return false;
  }

  /** @param isHeld what fills outboxes waits until the lease is good again */
  #endChannels(isHeld: boolean): void {
    if (this.#channels.size === 0) return;
    const channels = this.#channels;
    this.#channels = new Set();
    for (const channel of channels) {
      if (isHeld && channel.isForNodes !== true) {
        this.#held.add(channel);
        continue;
      }
      try {
        channel.endTurn();
      } catch (error) {
        this.#complain(error);
      }
    }
  }

  #release(): void {
    for (const channel of this.#held) this.addChannel(channel);
    this.#held.clear();
  }

  #writeAnswers(): void {
    if (this.#answered.length === 0) return;
    const answered = this.#answered;
    this.#answered = [];
    for (const writer of answered) this.#write(writer);
  }

  /** @param startedAt when the turn began to end; filling outboxes is a part of the slice, of which at least half is for writing */
  #writeSlice(startedAt: number): void {
    const isHurried = this.#isHurried;
    this.#isHurried = false;
    if (this.#line.isEmpty) return;
    const { deliverySliceMs, deliverySliceWritesMax } = this.#bounds;
    const writesMax = isHurried ? Infinity : Math.max(1, deliverySliceWritesMax);
    // Where much arrives, the turn between two slices is long: delivering gets as much time as all the rest, or it would never come to an end.
    const sliceMs = Math.max(deliverySliceMs, startedAt - this.#pausedAt);
    const until = isHurried ? Infinity : Math.max(startedAt + sliceMs, this.#environment.elapsed() + sliceMs / 2);
    this.#pausedAt = Infinity;
    for (let writes = 0; ; ) {
      const writer = this.#line.take();
      if (writer === undefined) return;
      // Who was answered meanwhile has nothing left.
      if (!this.#write(writer)) continue;
      writes++;
      if (writes >= writesMax || (writes % WRITES_A_LOOK === 0 && this.#environment.elapsed() >= until)) break;
    }
    if (!this.#line.isEmpty) this.#pausedAt = this.#environment.elapsed();
  }

  #write(writer: Writer): boolean {
    try {
      return writer.flush();
    } catch (error) {
      this.#complain(error);
      return true;
    }
  }

  /** What fails in one of them is no reason to leave out the others. */
  #complain(error: unknown): void {
    this.#log.error("the end of a turn failed", { error });
  }
}
