import { isFinal, TuttiError, type Cancel, type ClientFrame, type Environment, type ServerFrameOf } from "@tutti/protocol";
import { backoffMs } from "./backoff.js";

/** A frame whose optional fields may also be `undefined`: they are left out on the wire. */
type Loose<F> = F extends object ? { readonly [K in keyof F]: Partial<Pick<F, K>> extends Pick<F, K> ? F[K] | undefined : F[K] } : never;
type WithoutId<F> = F extends { readonly correlationId: string } ? Omit<F, "correlationId"> : never;

export type OutgoingFrame = Loose<ClientFrame>;
/** A frame that is answered; it gets its correlation id when it is sent. */
export type Request = Loose<WithoutId<ClientFrame>>;

export type Answer =
  | { readonly kind: "success"; readonly data: unknown }
  | { readonly kind: "error"; readonly error: TuttiError }
  /** The connection ended first: whether the server did it is not known. */
  | { readonly kind: "lost"; readonly error: TuttiError };

export type OnAnswer = (answer: Answer, correlationId: string) => void;

/** What frames go out on. */
export interface Line {
  /** Whether the server has said welcome, and the link is up. */
  readonly isUp: boolean;
  /** @throws TuttiError `MESSAGE_TOO_LARGE`, `MESSAGE_TOO_DEEP`, `PAYLOAD_INVALID` */
  send(frame: OutgoingFrame): void;
}

/** What was asked on this connection and is not answered yet. */
export class Requests {
  readonly #line: Line;
  readonly #environment: Environment;
  readonly #timeoutMs: number;
  readonly #overdue: () => void;
  readonly #open = new Map<string, { readonly onAnswer: OnAnswer; readonly cancel: Cancel }>();
  #serial = 0;

  /** @param overdue hears that a request was not answered within `timeoutMs` */
  constructor(line: Line, environment: Environment, timeoutMs: number, overdue: () => void) {
    this.#line = line;
    this.#environment = environment;
    this.#timeoutMs = timeoutMs;
    this.#overdue = overdue;
  }

  get isUp(): boolean {
    return this.#line.isUp;
  }

  get size(): number {
    return this.#open.size;
  }

  /**
   * Sends a request; `onAnswer` hears one answer, unless it is forgotten before; at once when it cannot be sent at all. Unanswered in time, it
   * proves the connection dead, or, with a time of its own, only itself. @returns its correlation id
   */
  ask(request: Request, onAnswer: OnAnswer, timeoutMs?: number): string {
    const correlationId = (++this.#serial).toString(36);
    const late = (): void => {
      if (timeoutMs === undefined) this.#overdue();
      else this.#settle(correlationId, { kind: "error", error: new TuttiError("TIMEOUT") });
    };
    this.#open.set(correlationId, { onAnswer, cancel: this.#environment.after(timeoutMs ?? this.#timeoutMs, late) });
    try {
      this.#line.send({ ...request, correlationId });
    } catch (error) {
      this.#settle(correlationId, { kind: "error", error: error as TuttiError });
    }
    return correlationId;
  }

  /** Asks until the answer is final, or it is cancelled, with pauses in between. Cancelled when the connection ends. */
  persist(request: () => Request, onAnswer: OnAnswer, pauses = 0): Cancel {
    let stop: Cancel = () => this.forget(correlationId);
    const correlationId = this.ask(request(), (answer, id) => {
      if (answer.kind !== "error" || isFinal(answer.error.code)) return onAnswer(answer, id);
      const delayMs = backoffMs(this.#environment, pauses, answer.error.retryAfterMs);
      stop = this.#environment.after(delayMs, () => {
        stop = this.persist(request, onAnswer, pauses + 1);
      });
    });
    return () => stop();
  }

  /** The answer is not waited for any longer. */
  forget(correlationId: string): void {
    this.#open.get(correlationId)?.cancel();
    this.#open.delete(correlationId);
  }

  answer({ correlationId, success, data, error }: ServerFrameOf<"reply">): void {
    this.#settle(correlationId, success ? { kind: "success", data } : { kind: "error", error: TuttiError.fromWire(error ?? { code: "INTERNAL", message: "" }) });
  }

  /** The connection ended. */
  drop(error: TuttiError): void {
    for (const correlationId of this.#open.keys()) this.#settle(correlationId, { kind: "lost", error });
  }

  #settle(correlationId: string, answer: Answer): void {
    const open = this.#open.get(correlationId);
    this.forget(correlationId);
    open?.onAnswer(answer, correlationId);
  }
}
