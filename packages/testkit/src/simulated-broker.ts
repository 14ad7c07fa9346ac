import { TuttiError, type LastSeen } from "@tutti/protocol";
import type { AppendRequest, Broker, EventRun, Outcome, Page, ReadOptions } from "@tutti/server";
import { BrokerLink, type LinkCut } from "./broker-link.js";
import type { SimulatedClock } from "./clock.js";
import type { Participant } from "./participant.js";
import { RandomStream } from "./random.js";

/** What goes wrong between a node and its broker. Probabilities are of each operation or delivery. */
export interface BrokerFaults {
  /** One way, for requests, answers and deliveries alike. */
  readonly delayMs: readonly [low: number, high: number];
  /** `UNAVAILABLE`, and nothing happened. */
  readonly refused: number;
  /** `UNAVAILABLE`, though it took effect: the answer was lost. */
  readonly answerLost: number;
  /** Nothing for `hangMs`, then `UNAVAILABLE`; whether it took effect is a coin's toss. */
  readonly hangs: number;
  readonly hangMs: number;
  /** A delivery to a subscriber is lost. */
  readonly deliveryLost: number;
  /** A delivery comes a second time, later. */
  readonly deliveryRepeated: number;
  /** What nodes tell each other is lost on the way to one of them. */
  readonly broadcastLost: number;
  /** It comes a second time, later. */
  readonly broadcastRepeated: number;
  /** It comes later than it should, after what was told since. */
  readonly broadcastLate: number;
}

export const calmBroker: BrokerFaults = {
  delayMs: [0.2, 2],
  refused: 0,
  answerLost: 0,
  hangs: 0,
  hangMs: 0,
  deliveryLost: 0,
  deliveryRepeated: 0,
  broadcastLost: 0,
  broadcastRepeated: 0,
  broadcastLate: 0,
};

/** An event that the log took, as the broker's own disk would tell. */
export interface Landing {
  readonly channel: string;
  readonly epoch: string;
  readonly seq: number;
  readonly request: AppendRequest;
}

export interface SimulatedBrokerOptions {
  readonly clock: SimulatedClock;
  /** The broker's own process. */
  readonly participant: Participant;
  readonly seed: number;
  /** Makes the log behind it; called again when its data is lost, or is an earlier state of it. */
  readonly create: () => Broker;
  /**
   * Makes it anew with the data that it has, under another epoch. With it, a broker that was rolled back begins one as soon as it is asked for what comes
   * after an event that it lost; without it, or where it has gone on past that by then, it goes on in the epoch that it had.
   */
  readonly beginEpoch?: () => Broker;
  /** Hears of every event that lands, at the moment it does. */
  readonly landed?: (landing: Landing) => void;
}

/** The finest difference in time that keeps two requests in their order. */
const TICK_MS = 0.001;
/** How long a node waits for an answer over a link that is cut. */
const ANSWER_TIMEOUT_MS = 4_000;
/** How much later than it should a broadcast may come. */
const LATE_MS_MAX = 3_000;

interface Subscription {
  readonly node: Participant;
  /** Nothing is delivered to it, though nobody is told. */
  isWedged: boolean;
  /** Attaches to the log that there is now. */
  attach(): Promise<void>;
  detach(): void;
}

/** What becomes of deliveries of one kind, as probabilities. */
interface DeliveryFaults {
  readonly lost: number;
  readonly repeated: number;
  readonly late: number;
}

type End = () => Promise<void>;
/** Subscribes at the log behind the broker. */
type Start<Message> = (log: Broker, hear: (message: Message) => void) => Promise<End>;

interface SubscriptionParts<Message> {
  readonly node: Participant;
  readonly about: string;
  readonly start: Start<Message>;
  readonly faults: () => DeliveryFaults;
  readonly listener: (message: Message) => void;
}

/**
 * A broker that is a process of its own: it answers after a while, is asked over a connection that keeps the order of requests, fails on
 * purpose, and can restart with its data or without. The log itself is another broker's, so both keep the same one.
 */
export class SimulatedBroker {
  faults: BrokerFaults = calmBroker;
  readonly #options: SimulatedBrokerOptions;
  readonly #subscriptions = new Set<Subscription>();
  readonly #links = new Map<Participant, BrokerLink>();
  #log: Broker;
  /** Rises with each restart: what was asked before it is never answered after it. */
  #incarnation = 0;
  #isDown = false;
  /** Whether somebody may have seen what it lost, and shows it by naming that. */
  #hasLost = false;

  constructor(options: SimulatedBrokerOptions) {
    this.#options = options;
    this.#log = options.create();
  }

  /** The log itself, to look at without delay or fault. */
  get log(): Broker {
    return this.#log;
  }

  /** The broker as `node` reaches it; what was asked by a node that died is done, and answered to nobody. */
  connect(node: Participant): Broker {
    const ask = this.#asker(node);
    return {
      append: (channel, request) => ask("append", channel, () => this.#append(channel, request)),
      refuse: (channel, publisher, error) => ask("refuse", channel, () => this.#log.refuse(channel, publisher, error)),
      lookup: (channel, id) => ask("lookup", channel, () => this.#log.lookup(channel, id)),
      read: (channel, after, options) => ask("read", channel, () => this.#read(channel, after, options)),
      head: (channel) => ask("head", channel, () => this.#log.head(channel)),
      heads: (channels) => ask("heads", `of ${channels.length}`, () => this.#log.heads(channels)),
      locate: (channel, back) => ask("locate", channel, () => this.#log.locate(channel, back)),
      trim: (channel, upTo, keep) => ask("trim", channel, () => this.#log.trim(channel, upTo, keep)),
      saveSnapshot: (channel, snapshot) => ask("save", channel, () => this.#log.saveSnapshot(channel, snapshot)),
      loadSnapshot: (channel) => ask("load", channel, () => this.#log.loadSnapshot(channel)),
      broadcast: (topic, message) => ask("broadcast", topic, () => this.#log.broadcast(topic, message)),
      subscribe: (channel, listener) => {
        const start: Start<EventRun> = (log, hear) => log.subscribe(channel, hear);
        const faults = (): DeliveryFaults => ({ lost: this.faults.deliveryLost, repeated: this.faults.deliveryRepeated, late: 0 });
        return ask("subscribe", channel, () => this.#subscribe({ node, about: channel, start, faults, listener }));
      },
      listen: (topic, listener) => {
        const start: Start<string> = (log, hear) => log.listen(topic, hear);
        const faults = (): DeliveryFaults => ({ lost: this.faults.broadcastLost, repeated: this.faults.broadcastRepeated, late: this.faults.broadcastLate });
        return ask("listen", topic, () => this.#subscribe({ node, about: topic, start, faults, listener }));
      },
      isShared: true,
      close: async () => this.disconnect(node),
    };
  }

  /** A node is gone, or says so: nothing is delivered to it any more. */
  disconnect(node: Participant): void {
    for (const subscription of this.#subscriptions) {
      if (subscription.node !== node) continue;
      subscription.detach();
      this.#subscriptions.delete(subscription);
    }
  }

  /** Cuts the link between a node and the broker, until the answer is called. A node waits 4 s for the answers that do not come. */
  cut(node: Participant, cut: LinkCut): () => void {
    return this.#linkOf(node).cut(cut);
  }

  /** What cuts hold back of requests never arrives: no network keeps it for as long as brokers remember keys and counts. */
  loseHeld(): void {
    for (const link of this.#links.values()) link.loseHeld();
  }

  /**
   * Delivers nothing more to the subscriptions that a node has now, until the answer is called, while all that it asks is answered. What it
   * subscribes to later is delivered.
   */
  wedge(node: Participant): () => void {
    const wedged = [...this.#subscriptions].filter((subscription) => subscription.node === node);
    for (const subscription of wedged) subscription.isWedged = true;
    return () => {
      for (const subscription of wedged) subscription.isWedged = false;
    };
  }

  /** Stops answering until {@link start}. What is under way fails, though it may have taken effect; deliveries are lost. */
  stop(): void {
    this.#isDown = true;
    this.#incarnation++;
    for (const subscription of this.#subscriptions) subscription.detach();
  }

  /**
   * Answers again: with its data, as a new broker, or, rolled back, as a replica that had not come so far and goes on from there. Subscriptions
   * are taken up again, as a client library of a broker does.
   */
  async start(data: "kept" | "lost" | "rolled back"): Promise<void> {
    if (data !== "kept") {
      this.#log = this.#options.create();
      this.#hasLost = data === "rolled back" && this.#options.beginEpoch !== undefined;
    }
    this.#isDown = false;
    await Promise.all([...this.#subscriptions].map((subscription) => subscription.attach()));
  }

  async #append(channel: string, request: AppendRequest): Promise<Outcome> {
    const outcome = await this.#log.append(channel, request);
    if (outcome.outcome === "appended") this.#options.landed?.({ channel, ...outcome.position, request });
    return outcome;
  }

  async #read(channel: string, after: LastSeen, options: ReadOptions): Promise<Page> {
    if (this.#hasLost && (await this.#lacks(channel, after))) await this.#beginEpoch();
    return this.#log.read(channel, after, options);
  }

  async #beginEpoch(): Promise<void> {
    const { beginEpoch } = this.#options;
    if (!this.#hasLost || beginEpoch === undefined) return;
    this.#hasLost = false;
    for (const subscription of this.#subscriptions) subscription.detach();
    this.#log = beginEpoch();
    await Promise.all([...this.#subscriptions].map((subscription) => subscription.attach()));
  }

  /** Whether somebody saw further than the log reaches, or another event at its head. */
  async #lacks(channel: string, { epoch, seq, eventId }: LastSeen): Promise<boolean> {
    const { position: head, eventId: there } = await this.#log.head(channel);
    const isOther = seq === head.seq && eventId !== undefined && there !== undefined && there !== eventId;
    return epoch === head.epoch && (seq > head.seq || isOther);
  }

  /** Requests of one node arrive in the order in which they were made; answers come as they come. */
  #asker(node: Participant): <Answer>(operation: string, about: string, perform: () => Promise<Answer>) => Promise<Answer> {
    const { clock, participant, seed } = this.#options;
    const random = new RandomStream(seed, `requests of ${node.name}`);
    const link = this.#linkOf(node);
    let arrivedAtMs = 0;
    return (operation, about, perform) =>
      new Promise((resolve, reject) => {
        const detail = `${operation} ${about}`;
        const incarnation = this.#incarnation;
        const { takesEffect, isAnswerLost, answersInMs } = this.#fate(random);
        const isGone = (): boolean => this.#isDown || incarnation !== this.#incarnation;
        const answer = (settle: () => void, inMs = answersInMs): void => void clock.plan({ inMs, kind: "answer", owner: node, detail }, settle);
        const fail = (inMs?: number): void => answer(() => reject(new TuttiError("UNAVAILABLE", { message: `the broker failed: ${detail}` })), inMs);
        const carryBack = (settle: () => void): void => (link.returns ? answer(settle) : fail(ANSWER_TIMEOUT_MS));
        const arrive = (): void => {
          if (isGone() || !takesEffect) {
            fail();
            return;
          }
          perform().then(
            (value) => (isGone() || isAnswerLost ? fail() : carryBack(() => resolve(value))),
            (error: unknown) => carryBack(() => reject(error)),
          );
        };
        arrivedAtMs = Math.max(arrivedAtMs + TICK_MS, clock.nowMs + this.#delay(random));
        clock.plan({ inMs: arrivedAtMs - clock.nowMs, kind: "ask", owner: participant, detail }, () => {
          if (!link.request(arrive)) fail(ANSWER_TIMEOUT_MS);
        });
      });
  }

  #fate(random: RandomStream): { readonly takesEffect: boolean; readonly isAnswerLost: boolean; readonly answersInMs: number } {
    const { refused, answerLost, hangs, hangMs } = this.faults;
    const draw = random.next();
    const answersInMs = this.#delay(random);
    if (draw < refused) return { takesEffect: false, isAnswerLost: false, answersInMs };
    if (draw < refused + answerLost) return { takesEffect: true, isAnswerLost: true, answersInMs };
    if (draw < refused + answerLost + hangs) return { takesEffect: random.chance(0.5), isAnswerLost: true, answersInMs: hangMs };
    return { takesEffect: true, isAnswerLost: false, answersInMs };
  }

  #delay(random: RandomStream): number {
    return random.between(...this.faults.delayMs);
  }

  #linkOf(node: Participant): BrokerLink {
    const link = this.#links.get(node) ?? new BrokerLink();
    this.#links.set(node, link);
    return link;
  }

  async #subscribe<Message>({ node, about, start, faults, listener }: SubscriptionParts<Message>): Promise<End> {
    let end: End | undefined;
    let isWanted = true;
    const hear = (message: Message): void => {
      if (isWanted) listener(message);
    };
    const carry = this.#carrier(node, about, faults, hear);
    const subscription: Subscription = {
      node,
      isWedged: false,
      attach: async () => {
        end = await start(this.#log, (message) => {
          if (!subscription.isWedged) carry(message);
        });
      },
      detach: () => {
        void end?.();
        end = undefined;
      },
    };
    this.#subscriptions.add(subscription);
    await subscription.attach();
    return async () => {
      isWanted = false;
      this.#subscriptions.delete(subscription);
      subscription.detach();
    };
  }

  /** Carries deliveries to a node: in order, some lost, some twice, some late. */
  #carrier<Message>(node: Participant, about: string, faults: () => DeliveryFaults, hear: (message: Message) => void): (message: Message) => void {
    const { clock, seed } = this.#options;
    const random = new RandomStream(seed, `deliveries of ${about} to ${node.name}`);
    const link = this.#linkOf(node);
    let arrivedAtMs = 0;
    return (message) => {
      const { lost, repeated, late } = faults();
      const incarnation = this.#incarnation;
      const deliver = (inMs: number): void => {
        const plan = { inMs, kind: "delivery", owner: node, detail: about };
        clock.plan(plan, () => {
          if (incarnation === this.#incarnation) hear(message);
        });
      };
      if (!link.returns || random.chance(lost)) return;
      if (late > 0 && random.chance(late)) {
        deliver(random.between(0, LATE_MS_MAX));
        return;
      }
      arrivedAtMs = Math.max(arrivedAtMs + TICK_MS, clock.nowMs + this.#delay(random));
      deliver(arrivedAtMs - clock.nowMs);
      if (random.chance(repeated)) deliver(arrivedAtMs - clock.nowMs + this.#delay(random));
    };
  }
}
