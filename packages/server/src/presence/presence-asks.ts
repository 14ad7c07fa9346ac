import type { BusMessageOf } from "../bus/bus-messages.js";
import type { Bus, Topic } from "../bus/bus.js";
import { ASKED_CHANNELS_MAX, type ToldEntry, type ToldMembers } from "./presence-messages.js";

/** For how many heartbeats an answer is waited for; what is missing then is asked for anew. */
const BEATS_MAX = 3;

interface Asked {
  readonly channels: ReadonlySet<string>;
  readonly answers: Map<string, Answer>;
  beatsLeft: number;
}

/** What has come of one node's answer. */
interface Answer {
  nextPart: number;
  /** Of which channels all is there. */
  readonly whole: Set<string>;
  /** The list that goes on in the next part. */
  open: { readonly channel: string; readonly number: number; readonly entries: ToldEntry[]; count: number } | undefined;
}

/** All members that a node owns in a channel. */
export interface AnsweredList {
  readonly channel: string;
  /** That of the channel's last change. */
  readonly number: number;
  /** The number that the node had come to in all: the list is of that moment. */
  readonly at: number;
  readonly entries: readonly ToldEntry[];
}

/** Hears what other nodes answer. */
export interface AnswerListener {
  listed(node: string, list: AnsweredList): void;
  /** The node has told all that it was asked for. */
  answered(node: string, channels: Iterable<string>): void;
}

interface PresenceAsksParts {
  readonly bus: Bus;
  readonly membersMax: number;
  readonly listener: AnswerListener;
}

/** What this node wants to know of others' members, and what it is answered. An answer of which a part was lost is none. */
export class PresenceAsks {
  readonly #parts: PresenceAsksParts;
  readonly #wanted = new Map<Topic, Set<string>>();
  readonly #asked = new Map<number, Asked>();
  #last = 0;

  constructor(parts: PresenceAsksParts) {
    this.#parts = parts;
  }

  /** Notes that those of the topic are to be asked for a channel. */
  want(topic: Topic, channel: string): void {
    const channels = this.#wanted.get(topic) ?? new Set();
    this.#wanted.set(topic, channels.add(channel));
  }

  /** Asks, in so many messages at most. Whether there is more to ask. */
  send(countMax: number): boolean {
    let count = 0;
    for (const [topic, channels] of this.#wanted) {
      for (; channels.size > 0; count++) {
        if (count === countMax) return true;
        this.#ask(topic, channels);
      }
      this.#wanted.delete(topic);
    }
    return false;
  }

  /** A heartbeat's time is over. */
  beat(): void {
    for (const [ask, asked] of this.#asked) if (--asked.beatsLeft <= 0) this.#asked.delete(ask);
  }

  /** Takes a part of an answer. */
  take(node: string, { ask, part, isLast, at, lists }: BusMessageOf<"presence:answer">): void {
    const asked = this.#asked.get(ask);
    if (asked === undefined) return;
    const answer = asked.answers.get(node) ?? { nextPart: 0, whole: new Set(), open: undefined };
    asked.answers.set(node, answer);
    // Where one was lost, none of those that follow is the next one.
    if (part !== answer.nextPart) return;
    answer.nextPart++;
    for (const members of lists) if (!this.#takeList(node, asked, answer, { at, members })) answer.nextPart = Number.POSITIVE_INFINITY;
    if (!isLast || answer.nextPart === Number.POSITIVE_INFINITY) return;
    answer.nextPart = Number.POSITIVE_INFINITY;
    const { listener } = this.#parts;
    for (const channel of asked.channels) if (!answer.whole.has(channel)) listener.listed(node, { channel, number: at, at, entries: [] });
    listener.answered(node, asked.channels);
  }

  #ask(topic: Topic, channels: Set<string>): void {
    const asked = new Set<string>();
    for (const channel of channels) {
      if (asked.size === ASKED_CHANNELS_MAX) break;
      asked.add(channel);
      channels.delete(channel);
    }
    const ask = ++this.#last;
    this.#asked.set(ask, { channels: asked, answers: new Map(), beatsLeft: BEATS_MAX });
    this.#parts.bus.tell(topic, { kind: "presence:ask", ask, channels: [...asked] });
  }

  /** Whether it is what was asked for, and goes on where the one before it ended. */
  #takeList(node: string, asked: Asked, answer: Answer, { at, members }: { readonly at: number; readonly members: ToldMembers }): boolean {
    const { channel, number, from, isWhole, entries } = members;
    if (!asked.channels.has(channel) || answer.whole.has(channel)) return false;
    const open = from === 0 ? { channel, number, entries: [], count: 0 } : answer.open;
    if (open === undefined || open.channel !== channel || open.number !== number || open.count !== from) return false;
    open.count += entries.length;
    for (const entry of entries) if (open.entries.length < this.#parts.membersMax) open.entries.push(entry);
    answer.open = isWhole ? undefined : open;
    if (!isWhole) return true;
    answer.whole.add(channel);
    this.#parts.listener.listed(node, { channel, number, at, entries: open.entries });
    return true;
  }
}
