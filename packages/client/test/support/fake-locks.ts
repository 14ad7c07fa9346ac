type Grant = (lock: { readonly name: string; readonly mode: "exclusive" } | null) => unknown;

/** The locks of one origin: one holder each, and the others wait their turn. */
export class FakeLocks {
  readonly #queues = new Map<string, (() => Promise<void>)[]>();

  async request(name: string, options: { readonly ifAvailable?: boolean; readonly signal?: AbortSignal }, grant: Grant): Promise<void> {
    const queue = this.#queues.get(name) ?? [];
    if (options.ifAvailable === true && queue.length > 0) return void (await grant(null));
    this.#queues.set(name, queue);
    await new Promise<void>((resolve, reject) => {
      const run = async (): Promise<void> => {
        await grant({ name, mode: "exclusive" });
        resolve();
        this.#next(name, queue, run);
      };
      queue.push(run);
      if (queue.length === 1) void run();
      options.signal?.addEventListener("abort", () => {
        if (queue.indexOf(run) <= 0) return;
        queue.splice(queue.indexOf(run), 1);
        reject(new DOMException("too late", "AbortError"));
      });
    });
  }

  query() {
    return Promise.resolve({ held: Array.from(this.#queues.keys(), (name) => ({ name })), pending: [] });
  }

  /** A page is gone: what it held is free. What it would still write is for the test to leave out. */
  steal(name: string): void {
    const queue = this.#queues.get(name);
    if (queue?.[0] !== undefined) this.#next(name, queue, queue[0]);
  }

  get names(): readonly string[] {
    return [...this.#queues.keys()];
  }

  #next(name: string, queue: (() => Promise<void>)[], run: () => Promise<void>): void {
    if (queue[0] !== run) return;
    queue.shift();
    if (queue[0] === undefined) this.#queues.delete(name);
    else void queue[0]();
  }
}
