import { TuttiError, validate, type CallSchemas } from "@tutti/protocol";
import type { Core } from "./core.js";
import { attempt, Deferred } from "./deferred.js";
import type { Answer } from "./requests.js";

export interface CallOptions {
  /** How long to wait for the answer; 10 s. */
  readonly timeoutMs?: number;
  /** Gives up waiting; the promise rejects with the signal's reason. What the server does is not undone. */
  readonly signal?: AbortSignal;
}

/** The schemas of a call; `undefined`: there is no contract. */
export type CallChecks = CallSchemas | undefined;

/** Asks the application on the server. Rejects with what went wrong, `TIMEOUT`, `NOT_CONNECTED` or `OUTCOME_UNKNOWN` among it. */
export function call(core: Core, channel: string | undefined, type: string, input: unknown, checks: CallChecks, options: CallOptions = {}): Promise<unknown> {
  return attempt(() => {
    const payload = checks === undefined ? input : validate(checks.input, input);
    return payload instanceof Promise ? payload.then((output) => ask(core, channel, type, output, checks, options)) : ask(core, channel, type, payload, checks, options);
  });
}

function ask(core: Core, channel: string | undefined, type: string, payload: unknown, checks: CallChecks, { signal, timeoutMs }: CallOptions): Promise<unknown> {
  const { requests, config, environment } = core;
  signal?.throwIfAborted();
  if (!requests.isUp) throw new TuttiError("NOT_CONNECTED");
  if (requests.size >= config.queueCountMax) throw new TuttiError("LIMIT_EXCEEDED", { message: "too many requests wait" });
  const outcome = new Deferred<unknown>();
  const answered = (answer: Answer, correlationId: string): void => {
    signal?.removeEventListener("abort", abort);
    if (answer.kind === "success") {
      core.tell(`${type}:result`, answer.data, { correlationId, channel });
      outcome.resolve(attempt<unknown>(() => (checks === undefined ? answer.data : validate(checks.output, answer.data, "result"))));
    } else {
      if (answer.kind === "error") core.tell(`error:${resourceOf(type)}`, undefined, { correlationId, channel, error: answer.error });
      outcome.reject(answer.error);
    }
  };
  const correlationId = requests.ask({ op: "call", channel, type, payload, timestamp: environment.now() }, answered, timeoutMs ?? config.callTimeoutMs);
  const abort = (): void => {
    requests.forget(correlationId);
    outcome.reject(signal?.reason);
  };
  signal?.addEventListener("abort", abort, { once: true });
  return outcome.promise;
}

/** The first part of a type's name: what it is about. */
export function resourceOf(type: string): string {
  return type.replace(/:.*/, "");
}
