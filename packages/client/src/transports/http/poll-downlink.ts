import { LIST_MAX, anything, count, flag, list, optional, record, text, type ValueOf } from "@tutti/protocol";
import { askAgain, makeAlarm } from "./alarm.js";
import { retryAfterOf, type Asked, type FetchResponse } from "./fetch.js";
import type { Downlink, LinkSide } from "./http-link.js";

const answerShape = record({
  token: optional(text(512, 1)),
  messageBytesMax: optional(count),
  number: count,
  messages: list(anything, LIST_MAX),
  /** There is more than went into this answer. */
  more: optional(flag),
  closed: optional(record({ code: count, reason: text(1_024) })),
});

/** What a poll brought. */
interface PolledAnswer extends ValueOf<typeof answerShape> {
  /** How long the server wants to be left alone. */
  readonly retryAfterMs: number | undefined;
  /** How long it took. */
  readonly tookMs: number;
}

/** When a downlink polls. */
export interface PollTimes {
  /** How long a poll may wait at the server, in seconds; less where something on the way does not let it. */
  readonly waitS: number;
  /** Resolves when the next poll is due. */
  readonly due: (answer: PolledAnswer) => Promise<void>;
  /** Something was sent: its answer is awaited. */
  readonly hurry?: () => void;
}

/** A downlink that asks again and again. Each question says which answer came last, so that one that was lost comes again. */
export function pollDownlink(side: LinkSide, { due, hurry, ...times }: PollTimes): Downlink {
  const { environment, signal } = side;
  const alarm = makeAlarm(environment);
  let { waitS } = times;
  signal.addEventListener("abort", () => alarm.ring(), { once: true });

  const readAnswer = async (response: FetchResponse, askedAt: number): Promise<PolledAnswer> => {
    const answer = answerShape.read(JSON.parse(await response.text()), "");
    return { ...answer, retryAfterMs: retryAfterOf(response), tookMs: environment.elapsed() - askedAt };
  };
  const poll = async (after: number): Promise<Asked> => {
    const askedAt = environment.elapsed();
    const asked = await side.poll(`?after=${after}&wait=${waitS}`);
    // Something on the way does not let it wait for so long: half of what it had is about what it gets.
    const heldS = (environment.elapsed() - askedAt) / 1_000;
    if (asked.kind === "refused" && heldS >= 1) waitS = Math.min(waitS, Math.max(1, Math.floor(heldS / 2)));
    return asked;
  };
  const deliver = ({ token, messageBytesMax, messages, closed }: PolledAnswer): void => {
    if (token !== undefined && messageBytesMax !== undefined) side.opened({ token, messageBytesMax });
    for (const message of messages) side.message(JSON.stringify(message));
    if (closed !== undefined) side.closed(closed.code, closed.reason);
  };
  return {
    async read(response) {
      let answer = await readAnswer(response, environment.elapsed());
      for (deliver(answer); !signal.aborted; deliver(answer)) {
        if (answer.more !== true) await due(answer);
        const askedAt = environment.elapsed();
        const { number } = answer;
        const asked = await askAgain(alarm, signal, () => poll(number));
        if (asked.kind === "refused") return side.refused(asked);
        answer = await readAnswer(asked.response, askedAt);
      }
    },
    ...(hurry !== undefined && { taken: hurry }),
  };
}
