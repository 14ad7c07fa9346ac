import type { Position, TuttiError } from "@tutti/protocol";

/** Anything that a client hears of, in one shape. */
export interface Envelope {
  /**
   * The type of an event, signal or presence notice; of the result of a request with `:result` behind it, as in `canvas:list:result`; of
   * an error `error:` and what it is about, as in `error:canvas` or `error:connection`.
   */
  readonly type: string;
  readonly payload: unknown;
  /** The server's clock for events, this client's for the rest; Unix ms. */
  readonly timestamp: number;
  readonly correlationId?: string | undefined;
  readonly eventId?: string | undefined;
  readonly channel?: string | undefined;
  readonly position?: Position | undefined;
  readonly error?: TuttiError | undefined;
}
