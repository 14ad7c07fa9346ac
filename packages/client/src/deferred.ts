/**
 * A promise and its two ends. An application that does not look at it is not punished by an unhandled rejection: what went wrong also
 * surfaces in the client's events.
 */
export class Deferred<T> {
  readonly promise: Promise<T>;
  resolve!: (value: T) => void;
  reject!: (error: unknown) => void;

  constructor() {
    this.promise = handled(
      new Promise<T>((resolve, reject) => {
        this.resolve = resolve;
        this.reject = reject;
      }),
    );
  }
}

/** The same promise, whose rejection nobody has to look at. */
export function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

/** Runs `task`; what it throws rejects the promise. */
export function attempt<T>(task: () => T | Promise<T>): Promise<T> {
  return handled(
    new Promise((resolve) => {
      resolve(task());
    }),
  );
}
