import { samePosition, type Codec, type LastSeen, type Position, type SubscriptionStart, type TuttiError, type WireSignal } from "@tutti/protocol";
import { isOther, type EventRun, type Head, type LoggedEvent } from "../broker/broker.js";
import { Packet, SharedPacket } from "../connections/packet.js";
import type { TurnTask } from "../connections/turn.js";
import type { ChannelPolicy } from "../policy/policy.js";
import { Presence } from "../presence/presence.js";
import type { Services } from "../services.js";
import type { Sessions } from "../sessions/sessions.js";
import { Signals } from "../signals/signals.js";
import type { SignalTarget } from "../target.js";
import { eventsFrame } from "./events-frame.js";
import { FanOuts } from "./fan-outs.js";
import { Follower } from "./follower.js";
import { SharedReplays } from "./shared-replays.js";
import { SnapshotKeeper } from "./snapshot-keeper.js";
import type { Subscription } from "./subscription.js";

/** How many events are kept for those who are about to join; who needs more reads the log again. */
const TAIL_MAX = 1024;
/** Events are fanned out in frames of at most this many; while more than that are held, delivering goes before reading. */
const BATCH_MAX = 1024;

/**
 * A channel on this node: follows its log and fans it out. What a turn brings is encoded once for all subscriptions that are up to date.
 */
export class Channel implements TurnTask {
  readonly policy: ChannelPolicy;
  readonly presence: Presence;
  readonly #services: Services;
  readonly #sessions: Sessions;
  readonly #follower: Follower;
  readonly #snapshots: SnapshotKeeper | undefined;
  readonly #signals: Signals;
  readonly #fanOuts: FanOuts;
  readonly #signalFanOuts: FanOuts;
  readonly #live = new Set<Subscription>();
  /** Subscriptions that have seen more than was fanned out: up to this event. */
  readonly #ahead = new Map<Subscription, LastSeen>();
  readonly #watchers = new Set<Subscription>();
  /** Who waits for the list of members until it is complete. */
  readonly #unlisted = new Set<Subscription>();
  /** What came since the last fan-out, all of one epoch. */
  #batch: LoggedEvent[] = [];
  #batchEpoch = "";
  /** The latest events, kept while a replay is under way, and what stands before them. */
  #tail: LoggedEvent[] = [];
  #tailFrom: LastSeen = { epoch: "", seq: 0 };
  #replays = 0;
  /** What those who replay have in common, while there are several. */
  #shared: SharedReplays | undefined;
  /** While it opens, somebody waits for it, however long that takes. */
  #isOpening = true;
  #emptySince: number;
  /** Ends what other nodes tell of signals. */
  #unhear = (): void => {};
  /** Why it cannot be followed any more. */
  #failure: TuttiError | undefined;

  /** @param onFailed hears that the channel cannot be followed any more; who wants it opens it anew */
  constructor(services: Services, sessions: Sessions, policy: ChannelPolicy, onFailed: (channel: Channel) => void) {
    this.#services = services;
    this.#sessions = sessions;
    this.policy = policy;
    const { environment, bounds, bus } = services;
    this.#fanOuts = new FanOuts(services.turn, bounds.fanOutsMax);
    this.#signalFanOuts = new FanOuts(services.turn, 1);
    const endTurn = (): void => services.turn.addChannel(this);
    this.#signals = new Signals({ environment, channel: policy.name, flushMs: policy.namespace.signalFlushMs ?? 0, bus, onDue: endTurn });
    this.presence = new Presence({ environment, channel: policy.name, graceMs: bounds.presenceGraceMs, exchange: services.presence, onChange: endTurn });
    this.#snapshots = policy.definition.state === undefined ? undefined : new SnapshotKeeper(services, policy.name, policy.history);
    this.#follower = new Follower(services, policy, {
      taken: (run) => this.#take(run),
      restarted: (gap) => this.#restart(gap),
      failed: (error) => {
        onFailed(this);
        this.#fail(error);
      },
    }, services.lease);
    this.#emptySince = environment.elapsed();
  }

  get name(): string {
    return this.policy.name;
  }

  /** The last event that this node knows of. */
  get position(): LastSeen {
    return this.#follower.position;
  }

  /** How many events the reducer threw at. */
  get reducerErrors(): number {
    return this.#follower.view?.errors ?? 0;
  }

  get subscriptionCount(): number {
    return this.#live.size + this.#ahead.size;
  }

  /** Since when nobody is here, on the monotonic clock; `undefined` while somebody is. */
  get emptySince(): number | undefined {
    const isEmpty = !this.#isOpening && this.#live.size === 0 && this.#ahead.size === 0 && this.#replays === 0 && this.presence.ownCount === 0;
    return isEmpty ? this.#emptySince : undefined;
  }

  /** Resolves when the channel follows its log. */
  async open(): Promise<void> {
    await this.#follower.open();
    this.#unhear = this.#services.signalRelay.open(this.name, this.#signals);
    this.#isOpening = false;
    this.#touch();
    // What a node before it left unsaved counts, or short lives would make the tail longer and longer.
    const { view } = this.#follower;
    if (view !== undefined) this.#snapshots?.count(view.reduced, view);
  }

  async close(): Promise<void> {
    this.#unhear();
    this.#signals.clear();
    this.presence.close();
    await this.#follower.close();
    const { view } = this.#follower;
    if (view !== undefined) await this.#snapshots?.save(view);
  }

  /** Whether a look at the log's head is due: nothing came since this was asked last, and nothing is being read. */
  beginLook(): boolean {
    return this.#follower.beginLook();
  }

  /** Reads the log where its head is another than ours; what is returned never rejects. */
  endLook(head: Head): Promise<void> | undefined {
    const reading = this.#follower.endLook(head);
    // What they have read, and nobody hears of, may have been lost with the tail of the log.
    if (reading === undefined && this.#ahead.size > 0) for (const [subscription, last] of this.#ahead) this.#sendBack(subscription, last);
    return reading;
  }

  get hasState(): boolean {
    return this.policy.definition.state !== undefined;
  }

  /** The state at {@link position}, where the channel has state. */
  snapshot(): SubscriptionStart["snapshot"] {
    const { view } = this.#follower;
    return view === undefined ? undefined : { version: view.version, state: view.state };
  }

  /** From here to {@link endReplay} the channel keeps its latest events. */
  beginReplay(): void {
    if (this.#replays++ === 0) this.#tailFrom = this.position;
  }

  endReplay(): void {
    this.#replays--;
    if (this.#replays === 0) this.#tail = [];
    if (this.#replays < 2) this.#shared = undefined;
    this.#touch();
  }

  /** A packet with events that follow each other, for who replays them. @throws TuttiError `PAYLOAD_INVALID`, `MESSAGE_TOO_DEEP` */
  replayed(codec: Codec, epoch: string, events: readonly LoggedEvent[]): Packet {
    if (this.#replays < 2) return Packet.of(codec, [eventsFrame(this.name, epoch, events)]);
    return (this.#shared ??= new SharedReplays(this.name)).packetOf(codec, epoch, events);
  }

  /**
   * The events after `last`, none where it is the newest; `undefined` where the channel does not hold all of them, or another event than was seen there,
   * and they have to be read.
   */
  tailAfter(last: LastSeen): readonly LoggedEvent[] | undefined {
    const { position } = this.#follower;
    if (last.epoch !== position.epoch) return undefined;
    if (last.seq > position.seq) return [];
    if (last.seq === position.seq) return isOther(last, position) ? undefined : [];
    if (last.seq === this.#tailFrom.seq) return isOther(last, this.#tailFrom) ? undefined : this.#tail;
    const index = this.#tail.findIndex(({ seq }) => seq === last.seq);
    const there = this.#tail[index];
    return there === undefined || isOther(last, there) ? undefined : this.#tail.slice(index + 1);
  }

  /** Resolves when the channel has taken what its log holds. Rejects as the broker does. */
  async catchUp(): Promise<void> {
    await this.#follower.refresh();
  }

  /** From now on the subscription gets what comes after `last`. */
  join(subscription: Subscription, last: LastSeen): void {
    if (this.#failure !== undefined) return subscription.fail(this.#failure);
    if (this.#batch.length === 0 && last.seq <= this.position.seq) this.#live.add(subscription);
    else this.#ahead.set(subscription, last);
  }

  /**
   * The subscription hears who is here, and who comes and goes; from when on, other nodes decide, which have to tell who is there. A part of the members
   * would look as if the others had left, to somebody who comes back, or as if they came now, to somebody who is new.
   */
  watch(subscription: Subscription): void {
    this.#unlisted.add(subscription);
    this.presence.look();
    if (this.presence.isComplete) this.#deliverLists();
  }

  remove(subscription: Subscription): void {
    this.#live.delete(subscription);
    this.#ahead.delete(subscription);
    this.#watchers.delete(subscription);
    this.#unlisted.delete(subscription);
    this.#touch();
  }

  /** A signal of somebody at this node, for all or for one target alone. */
  putSignal(signal: WireSignal, to?: SignalTarget): void {
    this.#signals.put(signal, to);
  }

  /** Fans out what has come, or holds it while too many fan-outs are under way. */
  endTurn(): void {
    if (this.#fanOuts.isFull) return this.#hold();
    const hadEvents = this.#flushEvents();
    const hadChanges = this.#fanOutChanges();
    const hadSignals = this.#fanOutSignals();
    // Where nobody is here nothing is under way, however long the line of others is.
    if ((hadEvents || hadChanges || hadSignals) && this.subscriptionCount > 0) this.#fanOuts.note();
    this.#touch();
  }

  #hold(): void {
    if (this.#batch.length > BATCH_MAX) this.#services.turn.hurry();
    this.#comeAgain();
  }

  /** Looks again at the end of the next turn. The line moves on by itself, so what is waited for comes. */
  #comeAgain(): void {
    const { turn, guards } = this.#services;
    if (guards.release !== false) turn.addChannel(this);
  }

  #take(run: EventRun): void {
    for (const event of run.events) this.#batch.push(event);
    this.#batchEpoch = run.epoch;
    if (this.#replays > 0) this.#keepTail(run.events);
    const { view } = this.#follower;
    if (view !== undefined) this.#snapshots?.count(run.events.length, view);
    this.#services.turn.addChannel(this);
  }

  #keepTail(events: readonly LoggedEvent[]): void {
    for (const event of events) this.#tail.push(event);
    if (this.#tail.length <= 2 * TAIL_MAX) return;
    const before = this.#tail.at(-TAIL_MAX - 1);
    if (before !== undefined) this.#tailFrom = { epoch: this.#tailFrom.epoch, seq: before.seq, eventId: before.eventId };
    this.#tail = this.#tail.slice(-TAIL_MAX);
  }

  /** Whether there was anything. */
  #fanOutChanges(): boolean {
    const changes = this.presence.takeChanges();
    if (changes !== undefined) for (const subscription of this.#watchers) subscription.deliverPresence(changes);
    const owesLists = this.presence.isComplete && this.#unlisted.size > 0;
    if (owesLists) this.#deliverLists();
    return changes !== undefined || owesLists;
  }

  #deliverLists(): void {
    const list = this.presence.list();
    for (const subscription of this.#unlisted) {
      this.#unlisted.delete(subscription);
      this.#watchers.add(subscription);
      subscription.deliver(list);
    }
  }

  /** Whether there was anything that may leave now. */
  #fanOutSignals(): boolean {
    if (!this.#signals.areDue) return false;
    // A second fan-out beside the one that is under way would bring nothing sooner, and what it brings may be out of date by then.
    if (this.#signalFanOuts.isFull) {
      this.#comeAgain();
      return false;
    }
    this.#tellSignals();
    for (const { to, packet } of this.#signals.takeDirect()) {
      for (const { requests } of this.#sessions.of(to)) requests?.subscriptions.get(this.name)?.deliverDroppable(packet);
    }
    const signals = this.#signals.take();
    if (signals === undefined) return true;
    for (const subscription of this.#live) subscription.deliverDroppable(signals);
    for (const subscription of this.#ahead.keys()) subscription.deliverDroppable(signals);
    if (this.subscriptionCount > 0) this.#signalFanOuts.note();
    return true;
  }

  /** Tells other nodes what leaves here, before it does. */
  #tellSignals(): void {
    const untold = this.#signals.takeUntold();
    if (untold.length > 0) this.#services.signalRelay.tell(this.name, untold);
  }

  /** Whether there was anything. */
  #flushEvents(): boolean {
    const batch = this.#batch;
    if (batch.length === 0) return false;
    this.#batch = [];
    for (let from = 0; from < batch.length; from += BATCH_MAX) this.#fanOut(batch.length > BATCH_MAX ? batch.slice(from, from + BATCH_MAX) : batch);
    return true;
  }

  #fanOut(events: readonly LoggedEvent[]): void {
    const packet = this.#packetOf(events);
    for (const subscription of this.#live) subscription.deliver(packet);
    if (this.#ahead.size > 0) this.#fanOutAhead(events, packet);
  }

  /** Gives those who have seen more than was fanned out what they have not: many may have joined at one position. */
  #fanOutAhead(events: readonly LoggedEvent[], all: SharedPacket): void {
    const lastSeq = events.at(-1)?.seq ?? 0;
    const rests = new Map<number, SharedPacket>();
    for (const [subscription, last] of this.#ahead) {
      const from = events.findIndex(({ seq }) => seq > last.seq);
      const there = events.at(Math.max(from, 0) - 1);
      if (there?.seq === last.seq && isOther(last, there)) {
        this.#sendBack(subscription, last);
        continue;
      }
      if (from >= 0) {
        let rest = from === 0 ? all : rests.get(from);
        if (rest === undefined) rests.set(from, (rest = this.#packetOf(events.slice(from))));
        subscription.deliver(rest);
      }
      // Delivering may have ended it, where its connection was too slow.
      if (lastSeq < last.seq || subscription.isEnded) continue;
      this.#ahead.delete(subscription);
      this.#live.add(subscription);
    }
  }

  /** What it has seen is not what this node hears: the log itself is to say what comes next. */
  #sendBack(subscription: Subscription, last: LastSeen): void {
    this.#ahead.delete(subscription);
    subscription.lookAgain(last);
  }

  #packetOf(events: readonly LoggedEvent[]): SharedPacket {
    return new SharedPacket([eventsFrame(this.name, this.#batchEpoch, events)]);
  }

  #restart({ from, to }: { readonly from: Position; readonly to: Position }): void {
    this.#flushEvents();
    this.#tail = [];
    this.#tailFrom = this.position;
    for (const subscription of this.#live) subscription.restart({ from, to });
    for (const [subscription, last] of this.#ahead) {
      // It read from the log what the node has missed: where that reaches to the other side of the gap, there is none for it.
      if (from.epoch === to.epoch && last.seq > to.seq) continue;
      this.#ahead.delete(subscription);
      this.#live.add(subscription);
      const own: Position = { epoch: last.epoch, seq: last.seq };
      if (!samePosition(own, to) || isOther(last, this.position)) subscription.restart({ from: own, to });
    }
    this.#services.turn.addChannel(this);
  }

  #fail(error: TuttiError): void {
    this.#failure = error;
    if (!this.#services.lease.isOver) this.#flushEvents();
    for (const subscription of [...this.#live, ...this.#ahead.keys()]) subscription.fail(error);
    this.#unhear();
    this.#signals.clear();
    this.presence.clear();
    this.presence.close();
  }

  #touch(): void {
    this.#emptySince = this.#services.environment.elapsed();
  }
}
