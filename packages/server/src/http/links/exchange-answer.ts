import type { TuttiError } from "@tutti/protocol";
import type { NodeState } from "../../node-state.js";
import type { PollAnswer } from "../../sessions/forwarding.js";
import type { HttpExchange } from "../exchange.js";
import { problemAnswer } from "../problem.js";

/** A poll that came to this node, whichever holds its link. */
export class ExchangeAnswer implements PollAnswer {
  readonly #exchange: HttpExchange;
  readonly #node: Pick<NodeState, "readiness">;

  constructor(exchange: HttpExchange, node: Pick<NodeState, "readiness">) {
    this.#exchange = exchange;
    this.#node = node;
  }

  answer(body: string): void {
    // Who has too much to do for newcomers asks those that it has to come less often.
    const retryAfterMs = this.#node.readiness.refusal()?.retryAfterMs;
    this.#exchange.answer({
      status: 200,
      headers: {
        "Content-Type": "application/json",
        "Cache-Control": "no-store",
        ...(retryAfterMs !== undefined && { "Retry-After": String(Math.ceil(retryAfterMs / 1_000)) }),
      },
      body,
    });
  }

  refuse(error: TuttiError): void {
    this.#exchange.answer(problemAnswer(error));
  }
}
