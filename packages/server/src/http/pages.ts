import { TuttiError, samePosition, type LastSeen, type Rewind } from "@tutti/protocol";
import { lastSeen, type Page as LogPage } from "../broker/broker.js";
import { resumeAfter } from "../channels/follower.js";
import { startAtHead, type StartFrom } from "../channels/replay.js";
import type { NodeState } from "../node-state.js";
import type { ChannelPolicy } from "../policy/policy.js";
import { formatCursor } from "./cursor.js";
import { eventRecord, gapRecord, lineOf, type StartRecord } from "./records.js";

/** How many events are read from the log at a time: few first, and then as many as seem to fit. */
const READ_COUNT_FIRST = 32;
const READ_COUNT_MAX = 256;
/** A page is ended before it is longer than this, with one event at least. */
const PAGE_CHARACTERS_MAX = 1024 * 1024;

/** Some of a channel's events, which follow each other, and where they stand. */
export interface Page {
  /** The position behind the last of them: where the next page begins. */
  readonly last: LastSeen;
  /** The events as JSON. */
  readonly events: readonly string[];
  readonly gap?: StartRecord["gap"];
  readonly snapshot?: StartRecord["snapshot"];
  /** Whether the log has more already. */
  readonly hasMore: boolean;
}

/** Reads a channel's log a page at a time. Nobody is asked for permission here. */
export class Pages {
  readonly #node: NodeState;

  constructor(node: NodeState) {
    this.#node = node;
  }

  /** How far the channel goes: as this node knows, where it follows the channel, else as the log says. Rejects as the broker does. */
  async head(policy: ChannelPolicy): Promise<LastSeen> {
    const channel = this.#node.channels.get(policy.name);
    // One that opens has no position yet.
    if (channel !== undefined && channel.position.epoch !== "") return channel.position;
    return lastSeen(await this.#node.services.broker.head(policy.name));
  }

  /**
   * The page after `since`, or from so far behind the head; without either the head alone, with the state where there is one. Rejects as the broker does, or
   * with `REWIND_UNSUPPORTED` where the channel has state.
   */
  async read(policy: ChannelPolicy, { since, rewind }: StartFrom, countMax: number): Promise<Page> {
    if (rewind !== undefined) return this.#readFrom(policy, await this.#locate(policy, rewind), countMax);
    if (since !== undefined) return this.#readAfter(policy, since, countMax);
    if (policy.definition.state !== undefined) return this.#readState(policy);
    return { last: await this.head(policy), events: [], hasMore: false };
  }

  async #locate(policy: ChannelPolicy, rewind: Rewind): Promise<LastSeen> {
    if (policy.definition.state !== undefined) throw new TuttiError("REWIND_UNSUPPORTED", { field: "rewind", message: `${policy.name} has state` });
    return this.#node.services.broker.locate(policy.name, rewind);
  }

  async #readAfter(policy: ChannelPolicy, since: LastSeen, countMax: number): Promise<Page> {
    const page = await this.#readLog(policy, since, Math.min(countMax, READ_COUNT_FIRST));
    if (page.outcome === "page") return this.#collect(policy, since, page, countMax);
    if (policy.definition.state !== undefined) {
      const state = await this.#readState(policy);
      return { ...state, gap: gapRecord({ from: since, to: state.last }) };
    }
    const to = resumeAfter(since, page);
    return { ...(await this.#readFrom(policy, to, countMax)), gap: gapRecord({ from: since, to }) };
  }

  /** Where that was trimmed meanwhile, nothing is missing that the client has seen. */
  async #readFrom(policy: ChannelPolicy, from: LastSeen, countMax: number): Promise<Page> {
    const page = await this.#readLog(policy, from, Math.min(countMax, READ_COUNT_FIRST));
    if (page.outcome === "page") return this.#collect(policy, from, page, countMax);
    return { last: resumeAfter(from, page), events: [], hasMore: true };
  }

  /** Takes events from what was read of the log, and from what follows, until the page is full. */
  async #collect(policy: ChannelPolicy, after: LastSeen, first: Extract<LogPage, { outcome: "page" }>, countMax: number): Promise<Page> {
    const events: string[] = [];
    let last = after;
    let characters = 0;
    for (let { run, head } = first; ; ) {
      for (const event of run.events) {
        const text = lineOf(eventRecord(run.epoch, event));
        characters += text.length;
        if (events.length > 0 && characters > PAGE_CHARACTERS_MAX) return { last, events, hasMore: true };
        events.push(text);
        last = { epoch: run.epoch, seq: event.seq, eventId: event.eventId };
      }
      if (run.events.length === 0 || samePosition(last, head)) return { last, events, hasMore: false };
      if (events.length >= countMax || characters >= PAGE_CHARACTERS_MAX) return { last, events, hasMore: true };
      const fitting = Math.ceil((PAGE_CHARACTERS_MAX - characters) / (characters / events.length));
      const next = await this.#readLog(policy, last, Math.min(countMax - events.length, fitting, READ_COUNT_MAX));
      // Trimmed, or replaced, while it was read: the next page tells.
      if (next.outcome === "gap") return { last, events, hasMore: true };
      ({ run, head } = next);
    }
  }

  #readLog({ name }: ChannelPolicy, after: LastSeen, countMax: number): Promise<LogPage> {
    return this.#node.services.broker.read(name, after, { countMax });
  }

  async #readState(policy: ChannelPolicy): Promise<Page> {
    const channel = await this.#node.channels.open(policy);
    await channel.catchUp();
    const { position, snapshot } = startAtHead(channel);
    return { last: position, events: [], hasMore: false, ...(snapshot !== undefined && { snapshot }) };
  }
}

/**
 * A page as JSON. The position stands first, so that it is found again without reading the rest.
 *
 * @throws TuttiError `PAYLOAD_INVALID`, `MESSAGE_TOO_DEEP` for a state that cannot be sent
 */
export function pageText({ last, events, gap, snapshot }: Omit<Page, "hasMore">): string {
  const extras = gap === undefined && snapshot === undefined ? "" : `,${lineOf({ gap, snapshot }).slice(1, -1)}`;
  return `{"position":"${formatCursor(last)}"${extras},"events":[${events.join(",")}]}`;
}
