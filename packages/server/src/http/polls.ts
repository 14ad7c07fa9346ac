import type { LastSeen } from "@tutti/protocol";
import { permitTelling } from "../channels/permission.js";
import type { NodeState } from "../node-state.js";
import type { ChannelPolicy } from "../policy/policy.js";
import type { HttpCaller } from "./callers.js";
import { formatCursor } from "./cursor.js";
import { etagOf, knows } from "./etags.js";
import type { HttpAnswer, HttpExchange } from "./exchange.js";
import { notModified, taggedAnswer } from "./json-answer.js";
import { LongPoll } from "./long-poll.js";
import { pageText, type Page, type Pages } from "./pages.js";
import { answerFailure } from "./problem.js";
import type { EventsQuery } from "./queries.js";

/** One request for a page of events, by somebody who may read them. */
export interface Poll {
  readonly exchange: HttpExchange;
  readonly caller: HttpCaller;
  readonly policy: ChannelPolicy;
  readonly query: EventsQuery;
  /** What `If-None-Match` names. */
  readonly seen: readonly LastSeen[];
  /** How many commands had ended something when it was asked whether the caller may read. */
  readonly endedCount: number;
}

/** Answers polls: with a page, with 304, or, where there is nothing and the client waits, later. */
export class Polls {
  readonly #node: NodeState;
  readonly #pages: Pages;

  constructor(node: NodeState, pages: Pages) {
    this.#node = node;
    this.#pages = pages;
  }

  /** Rejects, as the broker does, where nothing was answered. */
  async serve(poll: Poll): Promise<void> {
    const { exchange, query } = poll;
    const found = await this.#look(poll);
    if ("answer" in found) return exchange.answer(found.answer);
    if (query.waitMs === 0) return exchange.answer(found.quiet);
    await new LongPoll({ node: this.#node, polls: this, poll }).open(found.last);
  }

  /** Answers now, whatever there is. Never rejects. */
  async answerNow(poll: Poll): Promise<void> {
    try {
      const found = await this.#look(poll);
      poll.exchange.answer("answer" in found ? found.answer : found.quiet);
    } catch (error) {
      answerFailure(poll.exchange, error, this.#node.services.log, { channel: poll.policy.name });
    }
  }

  /** What to answer, or, where there is nothing new, from where to wait for it, and what to answer in the end. */
  async #look(poll: Poll): Promise<{ readonly answer: HttpAnswer } | { readonly quiet: HttpAnswer; readonly last: LastSeen }> {
    const { caller, policy, query, seen, endedCount } = poll;
    if (seen.length > 0) {
      const head = await this.#pages.head(policy);
      if (knows(seen, head)) return { quiet: notModified(caller, etagOf(formatCursor(head))), last: head };
    }
    const page = await this.#pages.read(policy, query, query.limit);
    await permitTelling(this.#node, caller, policy, endedCount);
    const { last, events, gap } = page;
    if (knows(seen, last) && gap === undefined) return { quiet: notModified(caller, etagOf(formatCursor(last))), last };
    const answer = pageAnswer(poll, page);
    return query.since !== undefined && events.length === 0 && gap === undefined ? { quiet: answer, last } : { answer };
  }
}

function pageAnswer({ caller, query }: Poll, page: Page): HttpAnswer {
  const cursor = formatCursor(page.last);
  const answer = taggedAnswer(caller, etagOf(cursor), pageText(page));
  if (!page.hasMore) return answer;
  return { ...answer, headers: { ...answer.headers, Link: `<?since=${cursor}&limit=${query.limit}>; rel="next"` } };
}
