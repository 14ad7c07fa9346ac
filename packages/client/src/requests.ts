import { isFinal, TuttiError, type Cancel, type ClientFrame, type Environment, type ServerFrameOf, type WireError } from "@tutti/protocol";
import { backoffMs } from "./backoff.js";

/** A frame whose optional fields may also be `undefined`: they are left out on the wire. */
type Loose<F> = F extends object ? { readonly [K in keyof F]: Partial<Pick<F, K>> extends Pick<F, K> ? F[K] | undefined : F[K] } : never;
type WithoutId<F> = F extends { readonly correlationId: string } ? Omit<F, "correlationId"> : never;

export type OutgoingFrame = Loose<ClientFrame>;
/** A frame that is answered; it gets its correlation id when it is sent. */
type Request = Loose<WithoutId<ClientFrame>>;

export type Answer =
  | { readonly kind: "success"; readonly data: unknown; readonly error?: undefined }
  /** `lost`: the connection ended first; whether the server did it is not known. */
  | { readonly kind: "error" | "lost"; readonly data?: undefined; readonly error: TuttiError };

export type OnAnswer = (answer: Answer, correlationId: string) => void;

/** What was asked on this connection and is not answered yet. */
export interface Requests {
  count(): number;
  /**
   * Sends a request; `onAnswer` hears one answer, unless it is forgotten before; at once when it cannot be sent at all. Unanswered in time, it
   * proves the connection dead, or, with a time of its own, only itself. Returns its correlation id.
   */
  ask(request: Request, onAnswer: OnAnswer, timeoutMs?: number): string;
  /** Asks until the answer is final, or it is cancelled, with pauses in between. To be cancelled when the connection ends. */
  persist(request: () => Request, onAnswer: OnAnswer): Cancel;
  /** The answer is not waited for any longer. */
  forget(correlationId: string): void;
  answer(frame: ServerFrameOf<"reply">): void;
  /** The connection ended. */
  drop(error: TuttiError): void;
}

/**
 * @param send throws `MESSAGE_TOO_LARGE`, `MESSAGE_TOO_DEEP`, `PAYLOAD_INVALID`
 * @param overdue hears that a request was not answered within `ackTimeoutMs`
 */
export function makeRequests(environment: Environment, send: (frame: OutgoingFrame) => void, ackTimeoutMs: number, overdue: () => void): Requests {
  const open = new Map<string, { readonly onAnswer: OnAnswer; readonly cancel: Cancel }>();
  let serial = 0;

  const forget = (correlationId: string): void => {
    open.get(correlationId)?.cancel();
    open.delete(correlationId);
  };
  const settle = (correlationId: string, answer: Answer): void => {
    const onAnswer = open.get(correlationId)?.onAnswer;
    forget(correlationId);
    onAnswer?.(answer, correlationId);
  };
  const ask: Requests["ask"] = (request, onAnswer, timeoutMs) => {
    const correlationId = (++serial).toString(36);
    const late = timeoutMs === undefined ? overdue : () => settle(correlationId, { kind: "error", error: new TuttiError("TIMEOUT") });
    open.set(correlationId, { onAnswer, cancel: environment.after(timeoutMs ?? ackTimeoutMs, late) });
    try {
      send({ ...request, correlationId });
    } catch (error) {
      settle(correlationId, { kind: "error", error: error as TuttiError });
    }
    return correlationId;
  };
  const persist = (request: () => Request, onAnswer: OnAnswer, pauses = 0): Cancel => {
    let stop: Cancel = () => forget(correlationId);
    const correlationId = ask(request(), (answer, id) => {
      if (answer.kind !== "error" || isFinal(answer.error.code)) return onAnswer(answer, id);
      stop = environment.after(backoffMs(environment, pauses, answer.error), () => {
        stop = persist(request, onAnswer, pauses + 1);
      });
    });
    return () => stop();
  };

  return {
    count: () => open.size,
    ask,
    persist,
    forget,
    answer({ correlationId, success, data, error }) {
      // A failure without an error throws here, which ends the connection: it must not pass for a success.
      settle(correlationId, success ? { kind: "success", data } : { kind: "error", error: TuttiError.fromWire(error as WireError) });
    },
    drop(error) {
      for (const correlationId of open.keys()) settle(correlationId, { kind: "lost", error });
    },
  };
}
