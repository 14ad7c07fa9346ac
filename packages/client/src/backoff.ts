import type { Environment, TuttiError } from "@tutti/protocol";

const FIRST_MS = 1_000;
/** Short enough for all to be well again 35 s after the last fault, a request that hung included. */
const LONGEST_MS = 10_000;

/** How long to wait before the same request is sent again: 1 s, doubling up to 10 s, or what the server asks for; and up to half a second. */
export function backoffMs(environment: Environment, pauses: number, error?: TuttiError): number {
  return (error?.retryAfterMs ?? Math.min(FIRST_MS * 2 ** pauses, LONGEST_MS)) + environment.random() * 500;
}
