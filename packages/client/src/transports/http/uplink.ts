import type { Environment } from "@tutti/protocol";
import { askAgain, makeAlarm } from "./alarm.js";
import { ask, type Asked, type Fetch, type Refusal } from "./fetch.js";

/** What the server says of a link that it has admitted. */
export interface Opening {
  readonly token: string;
  readonly messageBytesMax: number;
}

/** What carries the client's messages up. */
export interface Uplink {
  /** From now on what is sent has somewhere to go. */
  open(opening: Opening): void;
  /** Sends a message, with all that is sent in this turn, after those before it. */
  send(message: string): void;
  /** What waits leaves in one last request, which outlives the page. Resolves when nothing is under way any more. */
  finish(): Promise<void>;
  /** Nothing leaves any more. */
  stop(): void;
}

interface UplinkParts {
  readonly url: string;
  readonly fetch: Fetch;
  readonly environment: Pick<Environment, "after">;
  /** The server has taken what was sent. */
  readonly taken: () => void;
  /** It will not take more. */
  readonly lost: (refusal: Refusal) => void;
}

/** How many messages the server takes in one request. */
const MESSAGES_MAX = 256;
const encoder = new TextEncoder();

/** One request at a time, each with all that waits: so they arrive in order, and the more they are the fewer requests they take. */
export function makeUplink({ url, fetch, environment, taken, lost }: UplinkParts): Uplink {
  const over = new AbortController();
  const { signal } = over;
  const alarm = makeAlarm(environment);
  const waiting: string[] = [];
  let opening: Opening | undefined;
  let number = 0;
  let working: Promise<void> | undefined;
  let isLast = false;

  const post = (body: string, token: string): Promise<Asked> => {
    const headers = { "Content-Type": "application/x-ndjson", "Tutti-Session": token, "Tutti-Number": String(number) };
    return ask(fetch, url, { method: "POST", headers, body, signal, cache: "no-store", ...(isLast && { keepalive: true }) });
  };
  const work = async ({ token, messageBytesMax }: Opening): Promise<void> => {
    while (waiting.length > 0 && !signal.aborted) {
      const body = takeSome(waiting, messageBytesMax);
      number++;
      const asked = isLast ? await post(body, token) : await askAgain(alarm, signal, () => post(body, token));
      if (signal.aborted) return;
      if (asked.kind === "refused") return lost(asked);
      taken();
    }
    working = undefined;
  };
  const wake = (): void => {
    if (opening !== undefined && waiting.length > 0) working ??= work(opening);
  };

  return {
    open(known) {
      opening = known;
      wake();
    },
    send(message) {
      waiting.push(message);
      // What is sent in this turn leaves together, and a goodbye knows that it is the last.
      void Promise.resolve().then(wake);
    },
    async finish() {
      isLast = true;
      alarm.ring();
      wake();
      await working;
    },
    stop() {
      over.abort();
      alarm.ring();
    },
  };
}

/** Takes as many of the first messages as go into one request, one a line; one at least. */
function takeSome(waiting: string[], bytesMax: number): string {
  let count = 0;
  let bytes = 0;
  for (const message of waiting) {
    bytes += encoder.encode(message).length + 1;
    if (count > 0 && (bytes > bytesMax || count === MESSAGES_MAX)) break;
    count++;
  }
  return waiting.splice(0, count).join("\n");
}
