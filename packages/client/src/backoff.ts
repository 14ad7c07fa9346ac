import type { Environment, TuttiError } from "@tutti/protocol";

const FIRST_MS = 1_000;
const LONGEST_MS = 30_000;

/** How long to wait before the same request is sent again: 1 s, doubling up to 30 s, or what the server asks for; and up to half a second. */
export function backoffMs(environment: Environment, pauses: number, error?: TuttiError): number {
  return (error?.retryAfterMs ?? Math.min(FIRST_MS * 2 ** pauses, LONGEST_MS)) + environment.random() * 500;
}
