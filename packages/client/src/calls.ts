import { TuttiError, type CallSchemas } from "@tutti/protocol";
import { checked, tellResult, type Core } from "./core.js";
import { attempt, Deferred } from "./deferred.js";
import type { OnAnswer } from "./requests.js";

export interface CallOptions {
  /** How long to wait for the answer; 10 s. */
  readonly timeoutMs?: number;
  /** Gives up waiting; the promise rejects with the signal's reason. What the server does is not undone. */
  readonly signal?: AbortSignal;
}

/** A call with what it is checked by; without schemas there is no contract. */
export interface Call {
  readonly channel?: string;
  readonly type: string;
  readonly input: unknown;
  readonly schemas: CallSchemas | undefined;
}

/** Asks the application on the server. @throws (rejects) TuttiError `TIMEOUT`, `NOT_CONNECTED`, `OUTCOME_UNKNOWN`, `PAYLOAD_INVALID`, and what it answers */
export function call(core: Core, { channel, type, input, schemas }: Call, { signal, timeoutMs = core.config.callTimeoutMs }: CallOptions = {}): Promise<unknown> {
  const { requests, config, environment } = core;
  const ask = (payload: unknown): Promise<unknown> => {
    signal?.throwIfAborted();
    if (!core.isUp()) throw new TuttiError("NOT_CONNECTED");
    if (requests.count() >= config.queueCountMax) throw new TuttiError("LIMIT_EXCEEDED");
    const outcome = new Deferred<unknown>();
    const abort = (): void => {
      requests.forget(correlationId);
      outcome.reject(signal?.reason);
    };
    const answered: OnAnswer = (answer, id) => {
      signal?.removeEventListener("abort", abort);
      const about = { channel, correlationId: id };
      tellResult(core, type, answer.kind === "success" ? { payload: answer.data, ...about } : { error: answer.error, ...about });
      if (answer.kind === "success") outcome.resolve(attempt(() => checked(core, schemas?.output, answer.data, (output) => output)));
      else outcome.reject(answer.error);
    };
    const correlationId = requests.ask({ op: "call", channel, type, payload, timestamp: environment.now() }, answered, timeoutMs);
    signal?.addEventListener("abort", abort);
    return outcome.promise;
  };
  return attempt(() => checked(core, schemas?.input, input, ask));
}
