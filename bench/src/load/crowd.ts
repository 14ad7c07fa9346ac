import { randomBytes } from "node:crypto";
import { clock } from "./clock.js";
import { Link, type LinkListener } from "./link.js";
import { Samples } from "./samples.js";
import { known, type Known } from "./known-messages.js";
import type { Conversation, Identity, Joining, Mark, Wire } from "./wire.js";

/** Of so many messages one is read: prime, so that it is not always the same member's. */
const SAMPLED_OF = 101;
const PING_MS = 25_000;
const PING_STEPS = 25;

/** A member's way in, from the first packet until it is subscribed. */
interface Arrival {
  /** Once there is a WebSocket. */
  conversation: Conversation | undefined;
  readonly joined: () => void;
  readonly failed: (error: Error) => void;
}

interface Member {
  readonly joining: Joining;
  readonly session: string;
  link: Link | undefined;
  /** While it is on its way in. */
  arrival: Arrival | undefined;
  isStalled: boolean;
  /** How many publishes it has made, by channel. */
  readonly counts: Map<string, number>;
  /** The last of each publisher that was read here. */
  readonly last: Map<number, number>;
  /** Everything that arrived, where all is read. */
  readonly seen: Map<number, Set<number>>;
  resume: unknown;
}

export interface CrowdOptions {
  /** Of the servers; the members are spread over them in turn. */
  readonly ports: readonly number[];
  readonly wire: Wire;
  /** Reads every message, and remembers for each member what it got. Otherwise one of a hundred is read, the others are told by their heads. */
  readonly readsAll?: boolean;
  /** How many join at a time. */
  readonly joiningAtOnce?: number;
}

/** What has been counted so far. */
export interface Tally {
  /** Deliveries, over all members. */
  delivered: number;
  /** WebSocket messages that bore them. */
  messages: number;
  acked: number;
  /** Deliveries that came again, or after a later one of the same publisher; among those that were read. */
  disordered: number;
}

/** People of a load: their connections, what they publish, and what they get. All live in one process and by one clock. */
export class Crowd implements LinkListener {
  readonly tally: Tally = { delivered: 0, messages: 0, acked: 0, disordered: 0 };
  /** From the moment that was meant to the arrival, ms; of publishes of the window that is measured. */
  latencies = new Samples();
  ackLatencies = new Samples();
  readonly #options: CrowdOptions;
  readonly #members = new Map<number, Member>();
  readonly #known = new Map<string, Known>();
  readonly #unacked = new Map<number, number>();
  #window = { from: Number.POSITIVE_INFINITY, to: Number.POSITIVE_INFINITY };
  #nextId = 1;
  #nextPing = 0;
  #failure: Error | undefined;
  readonly #pings: NodeJS.Timeout | undefined;

  constructor(options: CrowdOptions) {
    this.#options = options;
    if (options.wire.ping !== undefined) this.#pings = setInterval(() => this.#ping(), PING_MS / PING_STEPS);
  }

  get size(): number {
    return this.#members.size;
  }

  get unacked(): number {
    return this.#unacked.size;
  }

  /** @throws Error what went wrong with a connection */
  assertWell(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Adds members and resolves when all are in. @throws (rejects) Error where one is not let in */
  async join(joinings: readonly Joining[]): Promise<void> {
    for (const joining of joinings) this.#members.set(joining.member, newMember(joining));
    await this.#connectAll(joinings.map(({ member }) => member));
  }

  /** Everybody is cut off, without a goodbye. */
  cutAll(): void {
    for (const { link } of this.#members.values()) link?.cut();
  }

  /** Everybody comes back, with what they remember. */
  async rejoin(): Promise<void> {
    await this.#connectAll([...this.#members.keys()]);
  }

  /** These read nothing any more; a server may hang up on them, and on nobody else. */
  stall(members: readonly number[]): void {
    for (const index of members) {
      const member = this.#memberAt(index);
      member.isStalled = true;
      member.link?.pause();
    }
  }

  /** Latencies are sampled of what is to be sent in this window of the {@link clock}. */
  measure(from: number, to: number): void {
    this.#window = { from, to };
    this.latencies = new Samples();
    this.ackLatencies = new Samples();
  }

  /** @param bytes how long the payload is, as JSON */
  publish(member: number, channel: string, intendedAt: number, bytes: number): void {
    const who = this.#memberAt(member);
    const n = count(who, channel);
    const id = this.#nextId++;
    this.#unacked.set(id, intendedAt);
    who.link?.send([this.#options.wire.publish(channel, id, n, payloadOf({ p: member, i: n - 1, t: intendedAt }, bytes))]);
  }

  signal(member: number, channel: string, intendedAt: number, bytes: number): void {
    const who = this.#memberAt(member);
    const n = count(who, channel);
    who.link?.send([this.#options.wire.signal(channel, payloadOf({ p: member, i: n - 1, t: intendedAt }, bytes))]);
  }

  /** Which publishes of `publisher` each member got, where all is read. */
  seenOf(publisher: number): readonly ReadonlySet<number>[] {
    return Array.from(this.#members.values(), ({ seen }) => seen.get(publisher) ?? new Set<number>());
  }

  /** What a member would come back with, where all is read. */
  resumeOf(member: number): unknown {
    return this.#memberAt(member).resume;
  }

  close(): void {
    clearInterval(this.#pings);
    this.cutAll();
  }

  wants(link: Link, identity: Identity): boolean {
    if (this.#options.readsAll === true || identity === "own") return true;
    if (identity === "event") return this.#isSampled() || this.#memberAt(link.owner).arrival !== undefined;
    return typeof identity === "object" && !this.#known.has(identity.key);
  }

  opened(link: Link): void {
    const member = this.#memberAt(link.owner);
    const { joining, session, resume, arrival } = member;
    if (arrival === undefined) return;
    arrival.conversation = this.#options.wire.join({ ...joining, session, resume });
    const { value, done } = arrival.conversation.next();
    if (done === true) this.#finishJoining(member);
    else if (value.length > 0) link.send(value);
  }

  arrived(link: Link, identity: Identity, text: string | undefined): void {
    const member = this.#memberAt(link.owner);
    if (typeof identity === "object") {
      const message = known(this.#known, identity.key, text, this.#options.wire);
      this.#deliver(member, message.marks, this.#isSampled());
      if (text !== undefined) this.#converse(member, text);
      return;
    }
    if (text === undefined) {
      this.tally.messages++;
      this.tally.delivered++;
      return;
    }
    const { marks = [], acks = [], answer, problem } = this.#options.wire.read(text);
    if (problem !== undefined) return this.#fail(member, new Error(`member ${link.owner}: ${problem}`));
    // What came with an ack had to be read anyway: that it was read makes it no sample, or publishers would count a hundredfold.
    if (marks.length > 0) this.#deliver(member, marks, identity === "event" || this.#isSampled());
    const now = clock();
    for (const id of acks) this.#acknowledge(id, now);
    if (answer !== undefined) link.send([answer]);
    this.#converse(member, text);
  }

  ended(link: Link, reason: string): void {
    const member = this.#memberAt(link.owner);
    if (!member.isStalled) this.#fail(member, new Error(`the connection of member ${link.owner} ended: ${reason}`));
  }

  async #connectAll(indexes: readonly number[]): Promise<void> {
    let next = 0;
    const lane = async (): Promise<void> => {
      for (let at = next++; at < indexes.length; at = next++) await this.#connect(indexes[at] ?? 0);
    };
    await Promise.all(Array.from({ length: this.#options.joiningAtOnce ?? 64 }, lane));
    this.assertWell();
  }

  #connect(index: number): Promise<void> {
    const member = this.#memberAt(index);
    return new Promise((resolve, reject) => {
      member.arrival = { conversation: undefined, joined: resolve, failed: reject };
      member.link = this.#newLink(index);
    });
  }

  #newLink(owner: number): Link {
    const { ports, wire } = this.#options;
    return new Link(ports[owner % ports.length] ?? 0, wire, owner, this);
  }

  #converse(member: Member, text: string): void {
    const { wire, readsAll } = this.#options;
    if (readsAll === true && wire.remember !== undefined) member.resume = wire.remember(member.resume, text);
    const conversation = member.arrival?.conversation;
    if (conversation === undefined) return;
    try {
      const { value, done } = conversation.next(text);
      if (done === true) this.#finishJoining(member);
      else if (value.length > 0) member.link?.send(value);
    } catch (error) {
      this.#fail(member, error instanceof Error ? error : new Error(String(error)));
    }
  }

  #finishJoining(member: Member): void {
    member.arrival?.joined();
    member.arrival = undefined;
  }

  /** Whether the message at hand is one of those that are read for their latencies; of a load that reads all, each is. */
  #isSampled(): boolean {
    return this.#options.readsAll === true || this.tally.messages % SAMPLED_OF === 0;
  }

  #deliver(member: Member, marks: readonly Mark[], isSampled: boolean): void {
    this.tally.messages++;
    this.tally.delivered += marks.length;
    if (this.#options.readsAll === true) this.#note(member, marks);
    if (!isSampled) return;
    const now = clock();
    const { from, to } = this.#window;
    for (const { p, i, t } of marks) {
      if (t >= from && t < to) this.latencies.add(now - t);
      if (this.#options.readsAll === true) continue;
      if (i <= (member.last.get(p) ?? -1)) this.tally.disordered++;
      member.last.set(p, i);
    }
  }

  #note(member: Member, marks: readonly Mark[]): void {
    for (const { p, i } of marks) {
      let seen = member.seen.get(p);
      if (seen === undefined) member.seen.set(p, (seen = new Set()));
      // Each as often as it comes, in the order of its publisher: nothing else is right.
      if (seen.has(i) || i < (member.last.get(p) ?? -1)) this.tally.disordered++;
      seen.add(i);
      member.last.set(p, i);
    }
  }

  #acknowledge(id: number, now: number): void {
    const intendedAt = this.#unacked.get(id);
    if (intendedAt === undefined) return;
    this.#unacked.delete(id);
    this.tally.acked++;
    const { from, to } = this.#window;
    if (intendedAt >= from && intendedAt < to) this.ackLatencies.add(now - intendedAt);
  }

  #ping(): void {
    const { ping } = this.#options.wire;
    if (ping === undefined) return;
    // Each in its step, so that not all ping at once.
    const step = this.#nextPing++ % PING_STEPS;
    for (const [index, { link, arrival }] of this.#members) if (index % PING_STEPS === step && arrival === undefined) link?.send([ping]);
  }

  /** Who waits for the member to be in is told at once; the others, as soon as they ask whether all is well. */
  #fail(member: Member, error: Error): void {
    this.#failure ??= error;
    member.arrival?.failed(error);
    member.arrival = undefined;
  }

  #memberAt(index: number): Member {
    const member = this.#members.get(index);
    if (member === undefined) throw new Error(`there is no member ${index}`);
    return member;
  }
}

function newMember(joining: Joining): Member {
  return {
    joining,
    session: randomBytes(24).toString("base64url"),
    link: undefined,
    arrival: undefined,
    isStalled: false,
    counts: new Map(),
    last: new Map(),
    seen: new Map(),
    resume: joining.resume,
  };
}

/** The next number of a member's publishes to a channel. */
function count({ counts }: Member, channel: string): number {
  const n = (counts.get(channel) ?? 0) + 1;
  counts.set(channel, n);
  return n;
}

/** JSON of so many bytes, or of the mark alone where that is longer. */
function payloadOf({ p, i, t }: Mark, bytes: number): string {
  const start = `{"p":${p},"i":${i},"t":${t.toFixed(2)},"x":"`;
  return `${start}${"x".repeat(Math.max(0, bytes - start.length - 2))}"}`;
}
