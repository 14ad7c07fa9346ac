import type { Cancel, Environment } from "@tutti/protocol";
import type { BusMessage, BusMessageOf, Sender } from "../bus/bus-messages.js";
import type { Bus } from "../bus/bus.js";
import type { NodeChange, Nodes } from "../bus/nodes.js";
import type { Turn, TurnTask } from "../connections/turn.js";
import type { Log } from "../log.js";
import type { Bounds, ServerGuards } from "../options.js";
import { PresenceAnswers, toldEntry, type OwnedList } from "./presence-answers.js";
import { PresenceAsks, type AnswerListener, type AnsweredList } from "./presence-asks.js";
import { PresenceDigests } from "./presence-digests.js";
import { HeldMembers } from "./presence-held.js";
import type { PresenceDigest, ToldChanges, ToldEntry } from "./presence-messages.js";
import { PresenceNumbers } from "./presence-numbers.js";
import { PresencePeer } from "./presence-peer.js";
import type { Presence } from "./presence.js";

/** How many messages that may wait leave in one turn: a large answer, or many of them, must not hold up what else the turn brings. */
const MESSAGES_A_TURN_MAX = 4;

/** Somebody here wants to know the members of a channel. */
interface Interest {
  readonly presence: Presence;
  /** The nodes that were asked, and have not answered yet. */
  readonly awaited: Set<string>;
  /** When its list counts as complete, whoever has not answered; on the monotonic clock. */
  readonly completeAt: number;
  phase: { readonly name: "tuning" } | { readonly name: "hearing"; readonly end: () => Promise<void> } | { readonly name: "over" };
}

interface PresenceExchangeParts {
  readonly environment: Environment;
  readonly bounds: Bounds;
  readonly bus: Bus;
  readonly nodes: Nodes;
  readonly turn: Turn;
  readonly log: Log;
  readonly guards?: Pick<ServerGuards, "presenceDigest" | "presenceGap">;
}

/**
 * What nodes tell each other about their members. Each owns its own: it tells what changes, in numbered changes, and all of it to who asks. What is
 * lost on the way is found by the numbers, those of the changes themselves and those of what heartbeats name, and asked for again.
 */
export class PresenceExchange implements TurnTask, AnswerListener {
  readonly subscriptionCount = 0;
  readonly isForNodes = true;
  readonly #parts: PresenceExchangeParts;
  readonly #numbers = new PresenceNumbers();
  readonly #interests = new Map<string, Interest>();
  /** Those whose list is not complete, in the order in which their time runs out. */
  readonly #incomplete = new Set<Interest>();
  #cancelComplete: Cancel | undefined;
  /** Those that the broker does not listen for. */
  readonly #deaf = new Set<Interest>();
  readonly #peers = new Map<string, PresencePeer>();
  readonly #elapsed = (): number => this.#parts.environment.elapsed();
  readonly #asks: PresenceAsks;
  readonly #answers: PresenceAnswers;
  readonly #digests: PresenceDigests;
  /** Whose members of this node changed in this turn. */
  #untold = new Map<Presence, Set<string>>();
  /** End the time of grace of those whose node has stopped. */
  readonly #graces = new Set<Cancel>();

  constructor(parts: PresenceExchangeParts) {
    this.#parts = parts;
    const { bounds, bus, nodes } = parts;
    this.#asks = new PresenceAsks({ bus, membersMax: bounds.presenceMembersMax, listener: this });
    this.#answers = new PresenceAnswers({ bus, partMax: bounds.presencePartMax, elapsed: this.#elapsed, look: (channels) => this.#look(channels) });
    this.#digests = new PresenceDigests({ bus, numbers: this.#numbers, channelsMax: bounds.presenceDigestMax });
    nodes.carry(() => this.#beat());
    nodes.hear((message, sender) => this.#hear(message, sender));
    nodes.watch((change) => this.#forget(change));
  }

  /** From now on the members of all nodes are known here, and this node's members there. */
  join(presence: Presence): void {
    const { environment, bounds, bus, nodes } = this.#parts;
    const interest: Interest = { presence, awaited: new Set(), completeAt: environment.elapsed() + bounds.presenceCompleteMs, phase: { name: "tuning" } };
    this.#interests.set(presence.channel, interest);
    if (bus.isAlone && nodes.isSettled) presence.complete();
    else this.#incomplete.add(interest);
    for (const peer of this.#peers.values()) peer.miss(presence.channel);
    this.#awaitCompletion();
    void this.#tune(interest);
  }

  leave(presence: Presence): void {
    const interest = this.#interests.get(presence.channel);
    if (interest?.presence !== presence) return;
    this.#tellChanges();
    this.#interests.delete(presence.channel);
    this.#incomplete.delete(interest);
    this.#deaf.delete(interest);
    for (const peer of this.#peers.values()) peer.forget(presence.channel);
    const { phase } = interest;
    interest.phase = { name: "over" };
    if (phase.name === "hearing") this.#end(phase.end);
  }

  /** A session's entry at this node changed. */
  note(presence: Presence, session: string): void {
    const { bus, turn } = this.#parts;
    // Nobody is told; but nobody who comes back later may take what it knows for the present.
    if (bus.isAlone) {
      this.#numbers.advance(presence.channel, presence.ownCount === 0);
      return;
    }
    const sessions = this.#untold.get(presence) ?? new Set();
    this.#untold.set(presence, sessions.add(session));
    turn.addChannel(this);
  }

  endTurn(): void {
    this.#tellChanges();
    const hasAsks = this.#asks.send(MESSAGES_A_TURN_MAX);
    const hasAnswers = this.#answers.send(MESSAGES_A_TURN_MAX);
    this.#digests.send(MESSAGES_A_TURN_MAX);
    if (hasAsks || hasAnswers || this.#digests.isOwing) this.#parts.turn.addChannel(this);
  }

  listed(node: string, { channel, number, at, entries }: AnsweredList): void {
    const peer = this.#peers.get(node);
    if (peer === undefined) return;
    const held = entries.length === 0 ? peer.held.get(channel) : this.#heldOf(node, peer, channel);
    held?.replace(number, entries);
    peer.settle(channel, at);
  }

  answered(node: string, channels: Iterable<string>): void {
    for (const channel of channels) {
      const interest = this.#interests.get(channel);
      if (interest?.awaited.delete(node) === true) this.#checkComplete(interest);
    }
  }

  /** Ends what waits. */
  close(): void {
    this.#tellChanges();
    this.#cancelComplete?.();
    for (const cancel of this.#graces) cancel();
  }

  async #tune(interest: Interest): Promise<void> {
    const { channel } = interest.presence;
    try {
      const end = await this.#parts.bus.hear(`channel:${channel}`, (message, sender) => this.#hearChanges(interest, message, sender));
      if (interest.phase.name !== "tuning") return this.#end(end);
      interest.phase = { name: "hearing", end };
    } catch (error) {
      // It is tried again with the next heartbeat. Where the broker is away it fails for many, and one of them is enough to read of.
      if (this.#deaf.size === 0) this.#parts.log.warn("the members of channels at other nodes cannot be heard", { channel, error });
      if (interest.phase.name === "tuning") this.#deaf.add(interest);
      return;
    }
    for (const { id } of this.#parts.nodes.others()) interest.awaited.add(id);
    if (interest.awaited.size > 0) this.#want("nodes", channel);
    this.#checkComplete(interest);
  }

  #end(end: () => Promise<void>): void {
    end().catch((error: unknown) => this.#parts.log.warn("no longer hearing a channel's members failed", { error }));
  }

  #want(topic: "nodes" | `node:${string}`, channel: string): void {
    this.#asks.want(topic, channel);
    this.#parts.turn.addChannel(this);
  }

  #checkComplete(interest: Interest): void {
    const { phase, awaited } = interest;
    if (phase.name === "hearing" && awaited.size === 0 && this.#parts.nodes.isSettled) this.#complete(interest);
  }

  #complete(interest: Interest): void {
    if (this.#incomplete.delete(interest)) interest.presence.complete();
  }

  /** One timer for all whose time runs out. */
  #awaitCompletion(): void {
    const [first] = this.#incomplete;
    if (this.#cancelComplete !== undefined || first === undefined) return;
    const { environment } = this.#parts;
    this.#cancelComplete = environment.after(Math.max(0, first.completeAt - environment.elapsed()), () => {
      this.#cancelComplete = undefined;
      for (const interest of this.#incomplete) {
        if (interest.completeAt > environment.elapsed()) break;
        this.#complete(interest);
      }
      this.#awaitCompletion();
    });
  }

  /** What a heartbeat brings along. */
  #beat(): PresenceDigest | undefined {
    const deaf = [...this.#deaf];
    this.#deaf.clear();
    for (const interest of deaf) void this.#tune(interest);
    this.#asks.beat();
    for (const [node, peer] of this.#peers) this.#catchUp(node, peer);
    const digest = this.#digests.beat();
    if (this.#digests.isOwing) this.#parts.turn.addChannel(this);
    return digest;
  }

  /** Asks a node for what is known to be missing of it. */
  #catchUp(node: string, peer: PresencePeer): void {
    for (const channel of peer.beat()) this.#want(`node:${node}`, channel);
    if (peer.lag === "missed") this.#parts.bus.tell(`node:${node}`, { kind: "presence:since", number: peer.knownUpTo });
    if (peer.lag === "forgotten") this.#askForAll(node, peer);
  }

  #hear(message: BusMessage, sender: Sender): void {
    switch (message.kind) {
      case "presence:ask":
        this.#answers.owe(sender.node, message);
        return this.#parts.turn.addChannel(this);
      case "presence:since":
        this.#digests.owe(sender.node, message.number);
        return this.#parts.turn.addChannel(this);
      case "presence:changed":
        if (this.#parts.nodes.isCurrent(sender)) this.#hearDigest(message, sender.node);
        return;
      case "presence:answer":
        if (this.#parts.nodes.isCurrent(sender)) this.#asks.take(sender.node, message);
        return;
      case "node:heartbeat":
        if (this.#parts.nodes.isCurrent(sender)) this.#hearHeartbeat(message, sender);
        return;
      default:
    }
  }

  #hearHeartbeat({ presence }: BusMessageOf<"node:heartbeat">, { node }: Sender): void {
    if (!this.#peers.has(node)) this.#meet(node, presence?.upTo ?? 0);
    if (presence !== undefined) this.#hearDigest(presence, node);
  }

  #hearDigest(digest: PresenceDigest, node: string): void {
    const { guards } = this.#parts;
    const peer = this.#peers.get(node);
    if (peer === undefined || guards?.presenceDigest === false) return;
    peer.take(digest, (channel) => this.#interests.has(channel));
    if (guards?.presenceGap === false) peer.startOver();
  }

  /** A node that was not known. A new life of one that was is none: its numbers go on, and show what was missed. */
  #meet(node: string, number: number): void {
    const peer = new PresencePeer(number);
    this.#peers.set(node, peer);
    // Up to its first number nobody was there.
    if (number > 0) this.#askForAll(node, peer);
  }

  #askForAll(node: string, peer: PresencePeer): void {
    peer.startOver();
    for (const [channel, interest] of this.#interests) {
      peer.miss(channel);
      if (interest.phase.name !== "hearing") continue;
      if (this.#incomplete.has(interest)) interest.awaited.add(node);
      this.#want(`node:${node}`, channel);
    }
  }

  #hearChanges(interest: Interest, message: BusMessage, sender: Sender): void {
    const { channel } = interest.presence;
    if (message.kind !== "presence:changes" || message.channel !== channel || !this.#parts.nodes.isCurrent(sender)) return;
    const peer = this.#peers.get(sender.node);
    const held = peer && this.#heldOf(sender.node, peer, channel);
    if (peer === undefined || held === undefined) return;
    held.take(message);
    if (held.lacks === undefined) peer.settle(channel, held.number);
    else if (peer.lack(channel, held.lacks)) this.#want(`node:${sender.node}`, channel);
  }

  /** What is held of a node in a channel, from now on; `undefined` where nobody here is interested. */
  #heldOf(node: string, peer: PresencePeer, channel: string): HeldMembers | undefined {
    const known = peer.held.get(channel);
    const interest = this.#interests.get(channel);
    if (known !== undefined || interest === undefined) return known;
    const { presence } = interest;
    const held = new HeldMembers({
      membersMax: this.#parts.bounds.presenceMembersMax,
      emptyUpTo: peer.emptyUpTo(channel),
      elapsed: this.#elapsed,
      onChange: (session) => presence.noteHeld(session),
    });
    peer.held.set(channel, held);
    presence.hold(node, held);
    return held;
  }

  #forget(change: NodeChange): void {
    if (change.type !== "gone") return;
    const { id } = change.node;
    for (const interest of this.#incomplete) if (interest.awaited.delete(id)) this.#checkComplete(interest);
    const peer = this.#peers.get(id);
    if (peer === undefined) return;
    this.#peers.delete(id);
    if (change.why === "silent") this.#release(id, peer);
    else this.#releaseLater(id, peer);
  }

  /** The node has stopped, and its members may come back elsewhere. */
  #releaseLater(node: string, peer: PresencePeer): void {
    for (const held of peer.held.values()) held.turnAway();
    const { environment, bounds } = this.#parts;
    const cancel = environment.after(bounds.presenceGraceMs, () => {
      this.#graces.delete(cancel);
      this.#release(node, peer);
    });
    this.#graces.add(cancel);
  }

  #release(node: string, { held: ofChannels }: PresencePeer): void {
    for (const [channel, held] of ofChannels) {
      held.clear();
      this.#interests.get(channel)?.presence.release(node);
    }
  }

  /** What this node owns in these channels. What changed in this turn is told already, so the numbers are those of what is there. */
  #look(channels: readonly string[]): { readonly at: number; readonly lists: readonly OwnedList[] } {
    const lists: OwnedList[] = [];
    for (const channel of new Set(channels)) {
      const number = this.#numbers.of(channel);
      const entries = this.#interests.get(channel)?.presence.ownEntries() ?? [];
      if (entries.length > 0) lists.push({ channel, number, entries });
    }
    return { at: this.#numbers.last, lists };
  }

  #tellChanges(): void {
    if (this.#untold.size === 0) return;
    const untold = this.#untold;
    this.#untold = new Map();
    for (const [presence, sessions] of untold) this.#tellChangesOf(presence, [...sessions]);
  }

  #tellChangesOf(presence: Presence, sessions: readonly string[]): void {
    const { environment, bounds, bus } = this.#parts;
    const { channel } = presence;
    for (let from = 0; from < sessions.length; from += bounds.presencePartMax) {
      const entered: ToldEntry[] = [];
      const left: string[] = [];
      for (const session of sessions.slice(from, from + bounds.presencePartMax)) {
        const entry = presence.own(session);
        if (entry === undefined) left.push(session);
        else entered.push(toldEntry(entry, environment.elapsed()));
      }
      const isLast = from + bounds.presencePartMax >= sessions.length;
      const changes: ToldChanges = { channel, ...this.#numbers.advance(channel, isLast && presence.ownCount === 0), entered, left };
      if (!bus.isAlone) bus.tell(`channel:${channel}`, { kind: "presence:changes", ...changes });
    }
  }
}
