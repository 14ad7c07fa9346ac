import { TuttiError, samePosition, type Cancel, type LastSeen, type Position } from "@tutti/protocol";
import { floorOf, isOther, lastSeen, type EventRun, type Head, type LoggedEvent, type Retention, type StoredSnapshot } from "../broker/broker.js";
import { Follower, resumeAfter } from "../channels/follower.js";
import { SnapshotKeeper } from "../channels/snapshot-keeper.js";
import type { Services } from "../services.js";
import type { CommandState } from "./command-state.js";
import { readCommand, type Command } from "./command.js";

/** No channel's name: clients can neither subscribe nor publish to it. */
const COMMAND_LOG = "$commands";

const PAGE_COUNT = 256;
const RETRY_MS = 1_000;
const LOAD_ATTEMPTS = 3;

/** Of how many commands it is known that they were taken: more than nodes ask about, and the latest one that a log has tells those before it. */
const KNOWN_MAX = 10_000;

/** A node that stood still for less than this reads what it missed; for longer, and the silence has ended its connections. */
const HISTORY: Retention = { countMin: 1_000, ageMsMin: 300_000, countMax: 100_000, bytesMax: 64 * 1024 * 1024 };

/** Where a command stands, and which it is. */
export interface LoggedAt extends Position {
  readonly eventId: string;
}

export interface CommandLogEvents {
  /** The next command, after the state has taken it. */
  taken(command: Command): void;
  /** The state was loaded, at the start or anew after a gap. */
  loaded(): void;
}

type Phase =
  /** What comes meanwhile waits; `done` rejects where the log cannot be had now. */
  | { readonly name: "loading"; readonly done: Promise<void> }
  | { readonly name: "following" }
  | { readonly name: "closed" };

/** Follows the log of commands: each of them once, in order, over a state that is loaded from the newest snapshot. */
export class CommandLog {
  readonly #services: Services;
  readonly #state: CommandState;
  readonly #events: CommandLogEvents;
  readonly #snapshots: SnapshotKeeper;
  #follower: Follower;
  #phase: Phase;
  /** How far the state is: behind the follower, while what was heard early waits. */
  #position: LastSeen = { epoch: "", seq: 0 };
  /** The ids of the commands that were seen last: a log may go on under another epoch with what it had. */
  readonly #known = new Set<string>();
  /** Where the state was loaded from: what stood there and before was seen, though not by its id. */
  #knownFrom: Position = { epoch: "", seq: 0 };
  /** What was heard while the state was loaded. */
  #early: EventRun[] = [];
  /** The log started over while the state was loaded from it. */
  #isStale = false;
  #refreshing: Promise<void> | undefined;
  #cancelRetry: Cancel = () => {};

  constructor(services: Services, state: CommandState, events: CommandLogEvents) {
    this.#services = services;
    this.#state = state;
    this.#events = events;
    this.#snapshots = new SnapshotKeeper(services, COMMAND_LOG, HISTORY);
    this.#follower = this.#newFollower();
    this.#phase = this.#load(this.#follower, this.#follower.open());
  }

  /** The last command that the state has taken. */
  get position(): LastSeen {
    return this.#position;
  }

  get version(): number {
    return this.#state.version;
  }

  /** What is to be stored of it: made anew each time. */
  get state(): unknown {
    return this.#state.stored();
  }

  /** Settles when the present attempt to load is through; `undefined` where the log is followed. Rejects with `UNAVAILABLE`. */
  get loading(): Promise<void> | undefined {
    return this.#phase.name === "loading" ? this.#phase.done : undefined;
  }

  /** Appends a command. Rejects as the broker does. */
  async append({ type, ...payload }: Command): Promise<LoggedAt> {
    const { broker, environment } = this.#services;
    const eventId = environment.id();
    const outcome = await broker.append(COMMAND_LOG, { event: { eventId, type, payload, timestamp: environment.now() } });
    if (outcome.outcome === "appended") return { ...outcome.position, eventId };
    throw new TuttiError("OUTCOME_UNKNOWN", { message: `the broker answered ${outcome.outcome}` });
  }

  /** Whether everything up to a position was taken. */
  hasReached({ epoch, seq }: Position): boolean {
    return this.#phase.name === "following" && this.#position.epoch === epoch && this.#position.seq >= seq;
  }

  /** Reads what was not heard; one reading serves all who ask for it. Rejects where the log cannot be read now. */
  async refresh(): Promise<void> {
    if (this.#phase.name === "loading") return this.#phase.done;
    this.#refreshing ??= this.#follower.refresh();
    try {
      await this.#refreshing;
    } finally {
      this.#refreshing = undefined;
    }
  }

  /** Where the log ends now. Rejects as the broker does. */
  head(): Promise<Head> {
    return this.#services.broker.head(COMMAND_LOG);
  }

  /** Whether this very command was taken: a log that lost its tail may have another one in its place. */
  hasTaken({ epoch, seq, eventId }: LoggedAt): boolean {
    if (this.#phase.name !== "following") return false;
    return this.#known.has(eventId) || (epoch === this.#knownFrom.epoch && seq <= this.#knownFrom.seq);
  }

  /** Whether everything was taken that the log had when this was its head. */
  hasTakenAll(head: Head): boolean {
    if (this.#phase.name !== "following") return false;
    // The bus may have brought more since.
    if (head.eventId !== undefined && this.#known.has(head.eventId)) return true;
    return samePosition(head.position, this.#position) && !isOther(head, this.#position);
  }

  /** Compares the head of the quiet log with ours. Never rejects: the next look comes. */
  async checkHead(): Promise<void> {
    if (this.#phase.name !== "following" || !this.#follower.beginLook()) return;
    await this.refresh().catch((error: unknown) => this.#services.log.warn("checking the log of commands failed", { error }));
  }

  async close(): Promise<void> {
    const wasFollowing = this.#phase.name === "following";
    this.#phase = { name: "closed" };
    this.#cancelRetry();
    await this.#follower.close();
    if (wasFollowing) await this.#snapshots.save(this);
  }

  #newFollower(): Follower {
    const follower: Follower = new Follower(this.#services, { name: COMMAND_LOG, definition: {} }, {
      taken: (run) => (this.#phase.name === "following" ? this.#take(run) : void this.#early.push(run)),
      restarted: () => this.#restart(follower),
      failed: (error) => this.#pause(follower, error),
    });
    return follower;
  }

  #load(follower: Follower, opened: Promise<void>): Phase {
    const done = this.#attempt(follower, opened);
    // Who waits for it hears of a failure; nobody has to wait.
    done.catch(() => {});
    return { name: "loading", done };
  }

  async #attempt(follower: Follower, opened: Promise<void>): Promise<void> {
    try {
      await opened;
      do {
        this.#isStale = false;
        const { position } = follower;
        await this.#restore(position);
        this.#position = position;
      } while (this.#isStale);
    } catch (cause) {
      this.#pause(follower, cause);
      throw unavailable(cause);
    }
    this.#follow(follower);
  }

  #follow(follower: Follower): void {
    if (this.#phase.name === "closed" || this.#follower !== follower) return;
    this.#phase = { name: "following" };
    for (const run of this.#early.splice(0)) this.#take(run);
    this.#events.loaded();
  }

  /** The log was trimmed beyond what was taken, or is another one now. */
  #restart(follower: Follower): void {
    this.#services.log.warn("the log of commands does not go on where this node was: what was lost of it ended nothing here");
    this.#early = [];
    this.#isStale = true;
    if (this.#phase.name === "following") this.#phase = this.#load(follower, Promise.resolve());
  }

  #pause(follower: Follower, error: unknown): void {
    if (this.#phase.name === "closed" || this.#follower !== follower) return;
    const { log, environment } = this.#services;
    log.warn("the log of commands cannot be read, trying again", { error });
    const next = (this.#follower = this.#newFollower());
    const over = follower.close().catch(() => {});
    this.#early = [];
    this.#phase = { name: "loading", done: refusal(error) };
    this.#cancelRetry = environment.after(RETRY_MS, () => {
      this.#phase = this.#load(next, over.then(() => next.open()));
    });
  }

  /** Brings the state to a position, from the newest snapshot on. What the snapshot holds beyond it is taken again, which changes nothing. */
  async #restore(upTo: Position, attempt = 1): Promise<void> {
    const { broker, log } = this.#services;
    const head = await broker.head(COMMAND_LOG);
    const snapshot = await broker.loadSnapshot(COMMAND_LOG);
    const isKnown = this.#restoreFrom(snapshot);
    let last: LastSeen = snapshot === undefined || !isKnown ? floorOf(head) : lastSeen(snapshot);
    const from = last;
    const ids = isKnown ? [last.eventId] : [];
    let unseen: Command[] = [];
    for (let gaps = 0; ; ) {
      if (last.epoch === upTo.epoch && last.seq >= upTo.seq) return this.#takeRestored(from, ids, unseen);
      const page = await broker.read(COMMAND_LOG, last, { countMax: PAGE_COUNT });
      if (page.outcome === "gap") {
        // Another node may have saved and trimmed meanwhile.
        if (attempt < LOAD_ATTEMPTS) return this.#restore(upTo, attempt + 1);
        if (++gaps > 1) throw new TuttiError("UNAVAILABLE", { message: "the log of commands is another one at each look" });
        log.error("the log of commands does not lead on from its snapshot: what it lost is not in force", { from: last });
        if (page.floor.seq === 0) this.#state.restore(undefined);
        last = resumeAfter(last, page);
        continue;
      }
      const { epoch, events } = page.run;
      const event = events.at(-1);
      if (event === undefined) return this.#takeRestored(from, ids, unseen);
      for (const each of events) {
        if (each.seq > upTo.seq) break;
        ids.push(each.eventId);
        const command = this.#apply(each);
        // What stands before a command that was seen was seen, too.
        if (this.#known.has(each.eventId)) unseen = [];
        else if (command !== undefined && (epoch !== this.#knownFrom.epoch || each.seq > this.#knownFrom.seq)) unseen.push(command);
      }
      last = { epoch, seq: event.seq, eventId: event.eventId };
    }
  }

  /** Whether there was a snapshot that can be read. @throws TuttiError `VERSION_UNSUPPORTED` for one of a newer node: going on without it would lose it */
  #restoreFrom(snapshot: StoredSnapshot | undefined): boolean {
    this.#state.restore(undefined);
    if (snapshot === undefined) return false;
    const { version, state } = snapshot;
    if (version > this.version) throw new TuttiError("VERSION_UNSUPPORTED", { message: `the commands are stored in version ${version}` });
    try {
      this.#state.restore(state);
      return true;
    } catch (error) {
      this.#services.log.error("the snapshot of the log of commands cannot be read", { error });
      return false;
    }
  }

  #take(run: EventRun): void {
    for (const event of run.events) {
      const command = this.#apply(event);
      this.#know(event.eventId);
      this.#position = { epoch: run.epoch, seq: event.seq, eventId: event.eventId };
      if (command !== undefined) this.#events.taken(command);
    }
    this.#snapshots.count(run.events.length, this);
  }

  /** Of a log that does not go on where this node was, what it has not seen ends what it is to end. At the start there is nobody whom it could. */
  #takeRestored(from: Position, ids: readonly (string | undefined)[], unseen: readonly Command[]): void {
    for (const id of ids.slice(-KNOWN_MAX)) this.#know(id);
    if (from.epoch !== this.#knownFrom.epoch) this.#knownFrom = from;
    if (this.#position.epoch !== "") for (const command of unseen) this.#events.taken(command);
  }

  #know(eventId: string | undefined): void {
    if (eventId === undefined) return;
    this.#known.delete(eventId);
    this.#known.add(eventId);
    if (this.#known.size <= KNOWN_MAX) return;
    const [oldest = ""] = this.#known;
    this.#known.delete(oldest);
  }

  /** The command, where it is one. */
  #apply(event: LoggedEvent): Command | undefined {
    try {
      const command = readCommand(event);
      this.#state.apply(command);
      return command;
    } catch (error) {
      this.#services.log.warn("what stands in the log of commands is no command", { seq: event.seq, error });
      return undefined;
    }
  }
}

function unavailable(cause: unknown): TuttiError {
  return new TuttiError("UNAVAILABLE", { message: "the log of commands cannot be read now", cause });
}

/** A rejection that nobody has to hear. */
function refusal(cause: unknown): Promise<void> {
  const refused = Promise.reject<void>(unavailable(cause));
  refused.catch(() => {});
  return refused;
}
