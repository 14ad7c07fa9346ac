import { SERVER_DEPTH_MAX, jsonCodec, type WireError } from "@tutti/protocol";

/**
 * What is known of a session's publishes to a channel. Written with each of them, so it is small, and a publish adds to it without reading it:
 * the answers are a text with one line each, in the order of *n* and without a hole up to `highest`. A line is how far (in base 36) the event
 * stands behind the last one that landed, or `!` and the error as JSON.
 */
export interface Publisher {
  readonly highest: number;
  /** When it last published, by the log's clock. */
  readonly usedAt: number;
  readonly answers: string;
  readonly answerCount: number;
  /** From where the first line counts. */
  readonly firstSeq: number;
  /** From where the next one will. */
  readonly lastSeq: number;
}

/** The `seq` where a publish landed, or the error that refused it for good. */
export type Answer = number | WireError;

const REFUSED = "!";

/** The publisher after one more publish; of its answers at least the latest `answersMax` are kept, and up to twice as many. */
export function answered(before: Publisher | undefined, n: number, answer: Answer, usedAt: number, answersMax: number): Publisher {
  // What a client left out it has settled, and what was before that as well.
  const { answers, answerCount, firstSeq, lastSeq } = before?.highest === n - 1 ? before : unknown;
  const line = typeof answer === "number" ? (answer - lastSeq).toString(36) : REFUSED + jsonCodec.encode([answer], SERVER_DEPTH_MAX);
  const publisher: Publisher = {
    highest: n,
    usedAt,
    answers: answerCount === 0 ? line : `${answers}\n${line}`,
    answerCount: answerCount + 1,
    firstSeq,
    lastSeq: typeof answer === "number" ? answer : lastSeq,
  };
  return publisher.answerCount < 2 * answersMax ? publisher : withoutOldest(publisher, publisher.answerCount - answersMax);
}

export function answerOf({ highest, answers, answerCount, firstSeq }: Publisher, n: number): Answer | undefined {
  const index = n - 1 - (highest - answerCount);
  if (index < 0 || n > highest) return undefined;
  const lines = answers.split("\n");
  const line = lines[index];
  if (line?.startsWith(REFUSED)) return jsonCodec.decode(line.slice(1), SERVER_DEPTH_MAX)[0] as WireError;
  return seqAfter(firstSeq, lines.slice(0, index + 1));
}

export function encodePublisher({ highest, usedAt, answerCount, firstSeq, lastSeq, answers }: Publisher): string {
  return `${highest} ${usedAt} ${answerCount} ${firstSeq} ${lastSeq}\n${answers}`;
}

export function decodePublisher(text: string): Publisher {
  const end = text.indexOf("\n");
  const [highest = 0, usedAt = 0, answerCount = 0, firstSeq = 0, lastSeq = 0] = text.slice(0, end).split(" ").map(Number);
  return { highest, usedAt, answerCount, firstSeq, lastSeq, answers: text.slice(end + 1) };
}

const unknown = { answers: "", answerCount: 0, firstSeq: 0, lastSeq: 0 } as const;

function withoutOldest(publisher: Publisher, count: number): Publisher {
  const lines = publisher.answers.split("\n");
  const firstSeq = seqAfter(publisher.firstSeq, lines.slice(0, count));
  return { ...publisher, firstSeq, answers: lines.slice(count).join("\n"), answerCount: publisher.answerCount - count };
}

function seqAfter(start: number, lines: readonly string[]): number {
  return lines.reduce((seq, line) => (line.startsWith(REFUSED) ? seq : seq + Number.parseInt(line, 36)), start);
}
