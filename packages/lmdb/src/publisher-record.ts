import { SERVER_DEPTH_MAX, jsonCodec, type WireError } from "@tutti/protocol";

/** So many publishes from *n* on landed at as many positions from a `seq` on. */
type Landed = readonly [n: number, seq: number, count: number];
/** The publish *n* was refused, with this error as JSON. */
type Refused = readonly [n: number, error: string];

/** What is known of a session's publishes to a channel. */
export interface Publisher {
  readonly highest: number;
  /** When it last published, by the log's clock. */
  readonly usedAt: number;
  /** What its latest publishes were answered, the oldest first. */
  readonly answers: readonly (Landed | Refused)[];
}

/** The `seq` where a publish landed, or the error that refused it for good. */
export type Answer = number | WireError;

/** The publisher after one more publish; of its answers the latest `answersMax` are kept. */
export function answered(publisher: Publisher | undefined, n: number, answer: Answer, usedAt: number, answersMax: number): Publisher {
  const before = publisher?.answers ?? [];
  const last = before.at(-1);
  if (typeof answer === "number" && last?.length === 3 && last[0] + last[2] === n && last[1] + last[2] === answer) {
    return { highest: n, usedAt, answers: [...before.slice(0, -1), [last[0], last[1], last[2] + 1]] };
  }
  const latest: Landed | Refused = typeof answer === "number" ? [n, answer, 1] : [n, jsonCodec.encode([answer], SERVER_DEPTH_MAX)];
  return { highest: n, usedAt, answers: [...before.slice(Math.max(0, before.length - answersMax + 1)), latest] };
}

export function answerOf({ answers }: Publisher, n: number): Answer | undefined {
  const found = answers.findLast(([first]) => first <= n);
  if (found?.length === 3) return n < found[0] + found[2] ? found[1] + n - found[0] : undefined;
  if (found?.[0] !== n) return undefined;
  return jsonCodec.decode(found[1], SERVER_DEPTH_MAX)[0] as WireError;
}

export function encodePublisher({ highest, usedAt, answers }: Publisher): string {
  return JSON.stringify([highest, usedAt, answers]);
}

export function decodePublisher(text: string): Publisher {
  const [highest, usedAt, answers] = JSON.parse(text) as [number, number, Publisher["answers"]];
  return { highest, usedAt, answers };
}
