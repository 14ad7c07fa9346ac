/** Stops what was started; calling it again, or too late, does nothing. */
export type Cancel = () => void;

/**
 * All that a core may know of the world besides its transports, storage and broker. The cores of server and client use no ambient time,
 * timer or randomness, so a simulation can run them from a seed.
 */
export interface Environment {
  /** Wall-clock time in Unix milliseconds. May jump; only for people, for tokens, and for a guess that heals itself where it was wrong. */
  now(): number;
  /** Monotonic milliseconds since some start. For every delay and deadline. */
  elapsed(): number;
  /** Runs `task` once, `delayMs` from now. */
  after(delayMs: number, task: () => void): Cancel;
  /** Runs `task` at the end of this turn of the event loop, after the input that has already arrived. */
  defer(task: () => void): void;
  /** A number from 0 up to, not including, 1. */
  random(): number;
  /** An id that cannot be guessed: 128 bits, 22 characters of base64url. */
  id(): string;
}
