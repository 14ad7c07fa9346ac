import { TuttiError, type Cancel, type ClientFrame, type Environment, type ServerFrameOf } from "@tutti/protocol";

type WithoutId<F> = F extends { readonly correlationId: string } ? Omit<F, "correlationId"> : never;
/** A frame that is answered; it gets its correlation id when it is sent. */
export type Request = WithoutId<ClientFrame>;

export type Reply =
  | { readonly kind: "success"; readonly data: unknown; readonly correlationId: string }
  | { readonly kind: "error"; readonly error: TuttiError; readonly correlationId: string }
  /** The connection ended first: whether the server did it is not known. */
  | { readonly kind: "lost" };

export type OnReply = (reply: Reply) => void;

/** What requests go out on. */
export interface Line {
  /** Whether the server has said welcome, and the link is up. */
  readonly isUp: boolean;
  /** @throws TuttiError `MESSAGE_TOO_LARGE`, `MESSAGE_TOO_DEEP`, `PAYLOAD_INVALID` */
  send(frame: ClientFrame): void;
}

interface Open {
  readonly onReply: OnReply;
  dueAt: number | undefined;
}

/** What was asked on this connection and is not answered yet. */
export class Requests {
  readonly #line: Line;
  readonly #environment: Environment;
  readonly #ackTimeoutMs: number;
  readonly #overdue: () => void;
  readonly #open = new Map<string, Open>();
  #serial = 0;
  #watch: Cancel | undefined;

  /** @param overdue hears that a request was not answered within `ackTimeoutMs` */
  constructor(line: Line, environment: Environment, ackTimeoutMs: number, overdue: () => void) {
    this.#line = line;
    this.#environment = environment;
    this.#ackTimeoutMs = ackTimeoutMs;
    this.#overdue = overdue;
  }

  get isUp(): boolean {
    return this.#line.isUp;
  }

  get size(): number {
    return this.#open.size;
  }

  send(frame: ClientFrame): void {
    this.#line.send(frame);
  }

  /**
   * Sends a request; `onReply` hears one reply, unless it is forgotten before.
   *
   * @param deadline `connection`: without an answer in time the connection is dead; `own`: the caller minds the time
   * @throws TuttiError `MESSAGE_TOO_LARGE`, `MESSAGE_TOO_DEEP`, `PAYLOAD_INVALID`
   */
  ask(request: Request, onReply: OnReply, deadline: "connection" | "own" = "connection"): string {
    const correlationId = (++this.#serial).toString(36);
    // The reply may come before `send` returns.
    this.#open.set(correlationId, { onReply, dueAt: deadline === "own" ? undefined : this.#environment.elapsed() + this.#ackTimeoutMs });
    try {
      this.#line.send({ ...request, correlationId });
    } catch (error) {
      this.#open.delete(correlationId);
      throw error;
    }
    if (deadline === "connection") this.#watch ??= this.#environment.after(this.#ackTimeoutMs, () => this.#look());
    return correlationId;
  }

  /** The reply to this request is not waited for any longer. */
  forget(correlationId: string): void {
    this.#open.delete(correlationId);
  }

  answer({ correlationId, success, data, error }: ServerFrameOf<"reply">): void {
    const open = this.#open.get(correlationId);
    if (open === undefined) return;
    this.#open.delete(correlationId);
    if (success) open.onReply({ kind: "success", data, correlationId });
    else open.onReply({ kind: "error", error: error === undefined ? new TuttiError("INTERNAL") : TuttiError.fromWire(error), correlationId });
  }

  /** The connection ended. */
  drop(): void {
    this.#watch?.();
    this.#watch = undefined;
    const lost = [...this.#open.values()];
    this.#open.clear();
    for (const { onReply } of lost) onReply({ kind: "lost" });
  }

  /** One timer for all: the oldest request is the first to be due. */
  #look(): void {
    this.#watch = undefined;
    const now = this.#environment.elapsed();
    const waiting = [...this.#open.values()].filter(({ dueAt }) => dueAt !== undefined);
    const firstDueAt = waiting[0]?.dueAt;
    if (firstDueAt === undefined) return;
    // A timer that fires far too late was slept through, and so were the answers: they get their time again.
    const wasAsleep = now - firstDueAt > this.#ackTimeoutMs;
    if (wasAsleep) for (const open of waiting) open.dueAt = now + this.#ackTimeoutMs;
    else if (firstDueAt <= now) return this.#overdue();
    this.#watch = this.#environment.after((waiting[0]?.dueAt ?? now) - now, () => this.#look());
  }
}
