import { TuttiError, type Calls } from "@tutti/protocol";
import { checked, tellResult, type Core } from "./core.js";
import { abortable, attempt, deferred } from "./deferred.js";
import type { OnAnswer } from "./requests.js";

export interface CallOptions {
  /** How long to wait for the answer; 10 s. */
  readonly timeoutMs?: number;
  /** Gives up waiting; the promise rejects with the signal's reason. What the server does is not undone. */
  readonly signal?: AbortSignal;
}

/** A call, and the calls that the contract has beside it. */
export interface Call {
  readonly channel?: string;
  readonly type: string;
  readonly input: unknown;
  readonly calls: Calls | undefined;
}

/** Asks the application on the server. @throws (rejects) TuttiError `TYPE_UNKNOWN`, `TIMEOUT`, `NOT_CONNECTED`, `OUTCOME_UNKNOWN`, `PAYLOAD_INVALID`, and what it answers */
export function call(core: Core, { channel, type, input, calls }: Call, { signal, timeoutMs = core.config.callTimeoutMs }: CallOptions = {}): Promise<unknown> {
  const { contract, requests, config, environment } = core;
  return attempt(() => {
    const schemas = contract?.schemaOf(calls, type);
    return checked(core, schemas?.input, input, (payload) => {
      signal?.throwIfAborted();
      if (!core.isUp()) throw new TuttiError("NOT_CONNECTED");
      if (requests.count() >= config.queueCountMax) throw new TuttiError("LIMIT_EXCEEDED");
      const outcome = deferred<unknown>();
      const answered: OnAnswer = ({ data, error }, id) => {
        tellResult(core, type, { payload: data, error, channel, correlationId: id });
        if (error === undefined) outcome.resolve(attempt(() => checked(core, schemas?.output, data, (output) => output)));
        else outcome.reject(error);
      };
      const correlationId = requests.ask({ op: "call", channel, type, payload, timestamp: environment.now() }, answered, timeoutMs);
      return abortable(outcome.promise, signal, () => {
        requests.forget(correlationId);
        outcome.reject(signal?.reason);
      });
    });
  });
}
