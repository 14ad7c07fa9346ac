import { TuttiError, validate, type CallSchemas, type Environment } from "@tutti/protocol";
import { Deferred, rejected } from "./deferred.js";
import type { ClientConfig } from "./options.js";
import type { Reply, Requests } from "./requests.js";

export interface CallOptions {
  /** How long to wait for the answer; 10 s. */
  readonly timeoutMs?: number;
  /** Gives up waiting; the promise rejects with the signal's reason. What the server does is not undone. */
  readonly signal?: AbortSignal;
}

export interface Call {
  readonly channel: string | undefined;
  readonly type: string;
  readonly input: unknown;
  /** `untyped`: there is no contract; `undefined`: the contract does not have this call. */
  readonly schemas: CallSchemas | "untyped" | undefined;
}

/** Hears of the result of every call. */
export type OnResult = (call: Call, reply: Exclude<Reply, { kind: "lost" }>) => void;

/** Requests of the application that are answered once, or fail. */
export class Calls {
  readonly #requests: Requests;
  readonly #environment: Environment;
  readonly #config: ClientConfig;
  readonly #onResult: OnResult;
  readonly #open = new Set<(error: TuttiError) => void>();

  constructor(requests: Requests, environment: Environment, config: ClientConfig, onResult: OnResult) {
    this.#requests = requests;
    this.#environment = environment;
    this.#config = config;
    this.#onResult = onResult;
  }

  /** @throws (rejects) TuttiError `NOT_CONNECTED`, `TIMEOUT`, `OUTCOME_UNKNOWN`, `PAYLOAD_INVALID`, `TYPE_UNKNOWN`, `LIMIT_EXCEEDED`, and those of the server */
  call(call: Call, options: CallOptions = {}): Promise<unknown> {
    const { schemas, input, type } = call;
    if (schemas === undefined) return rejected(new TuttiError("TYPE_UNKNOWN", { message: `the contract has no call "${type}"` }));
    try {
      const payload = schemas === "untyped" ? input : validate(schemas.input, input);
      if (!(payload instanceof Promise)) return this.#send({ ...call, input: payload }, options);
      const sent = payload.then((output) => this.#send({ ...call, input: output }, options));
      sent.catch(() => {});
      return sent;
    } catch (error) {
      return rejected(error);
    }
  }

  /** The client was closed. */
  close(error: TuttiError): void {
    for (const end of this.#open) end(error);
  }

  #send(call: Call, { signal, timeoutMs = this.#config.callTimeoutMs }: CallOptions): Promise<unknown> {
    if (!this.#requests.isUp) return rejected(new TuttiError("NOT_CONNECTED"));
    if (signal?.aborted === true) return rejected(signal.reason);
    if (this.#open.size >= this.#config.queueCountMax) return rejected(new TuttiError("LIMIT_EXCEEDED", { message: "too many calls are waiting" }));
    const { channel, type, input } = call;
    const outcome = new Deferred<unknown>();
    let correlationId = "";
    const release = (): void => {
      cancel();
      signal?.removeEventListener("abort", abort);
      this.#open.delete(end);
    };
    const end = (error: unknown): void => {
      release();
      this.#requests.forget(correlationId);
      outcome.reject(error);
    };
    const abort = (): void => end(signal?.reason);
    const cancel = this.#environment.after(timeoutMs, () => end(new TuttiError("TIMEOUT", { message: `no answer to ${type} within ${timeoutMs} ms` })));
    signal?.addEventListener("abort", abort);
    this.#open.add(end);
    const request = { op: "call", ...(channel !== undefined && { channel }), type, ...(input !== undefined && { payload: input }), timestamp: this.#environment.now() } as const;
    const onReply = (reply: Reply): void => {
      release();
      this.#answered(call, reply, outcome);
    };
    try {
      correlationId = this.#requests.ask(request, onReply, "own");
    } catch (error) {
      end(error);
    }
    return outcome.promise;
  }

  #answered(call: Call, reply: Reply, outcome: Deferred<unknown>): void {
    if (reply.kind === "lost") return outcome.reject(new TuttiError("OUTCOME_UNKNOWN", { message: "the connection ended before the answer" }));
    this.#onResult(call, reply);
    if (reply.kind === "error") return outcome.reject(reply.error);
    try {
      outcome.resolve(typeof call.schemas === "object" ? validate(call.schemas.output, reply.data, "result") : reply.data);
    } catch (error) {
      outcome.reject(error);
    }
  }
}
