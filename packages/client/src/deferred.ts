import { TuttiError, type Environment } from "@tutti/protocol";

/** A promise and its two ends. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T | Promise<T>) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Makes a promise for later. An application that does not look at it is not punished by an unhandled rejection: what went wrong also
 * surfaces in the client's events.
 */
export function deferred<T>(): Deferred<T> {
  let resolve!: Deferred<T>["resolve"];
  let reject!: Deferred<T>["reject"];
  const promise = handled(
    new Promise<T>((...ends) => {
      [resolve, reject] = ends;
    }),
  );
  return { promise, resolve, reject };
}

/** Ends the promise of somebody who only waits: with an error, it rejects. */
export function settle({ resolve, reject }: Deferred<void>, error: unknown): void {
  if (error === undefined) resolve();
  else reject(error);
}

/** The same promise, whose rejection nobody has to look at. */
export function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

/** The same promise; where the signal comes before it settles, `abort` is called. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined, abort: () => void): Promise<T> {
  signal?.addEventListener("abort", abort);
  void handled(promise.finally(() => signal?.removeEventListener("abort", abort)));
  return promise;
}

/** The same promise, unless it takes longer than `ms`. @throws (rejects) TuttiError `TIMEOUT` */
export function inTime<T>(environment: Environment, ms: number, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = environment.after(ms, () => reject(new TuttiError("TIMEOUT")));
    promise.then(resolve, reject).finally(cancel);
  });
}

/** Runs `task`; what it throws rejects the promise. */
export function attempt<T>(task: () => T | Promise<T>): Promise<T> {
  return handled(
    new Promise((resolve) => {
      resolve(task());
    }),
  );
}
