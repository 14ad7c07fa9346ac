const ignore = (): void => {};

/**
 * A promise and its two ends. An application that does not look at it is not punished by an unhandled rejection: what went wrong also
 * surfaces in the client's events.
 */
export class Deferred<T> {
  readonly promise: Promise<T>;
  resolve!: (value: T) => void;
  reject!: (error: unknown) => void;

  constructor() {
    this.promise = new Promise<T>((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.promise.catch(ignore);
  }
}

/** A promise that is rejected already, without an unhandled rejection. */
export function rejected<T>(error: unknown): Promise<T> {
  const deferred = new Deferred<T>();
  deferred.reject(error);
  return deferred.promise;
}
