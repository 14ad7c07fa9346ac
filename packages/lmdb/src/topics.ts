/** What is broadcast within the process; nothing is kept. */
export class Topics {
  readonly #tell: (task: () => void) => void;
  readonly #listeners = new Map<string, Set<(message: string) => void>>();

  /** @param tell runs what a listener does; what that throws keeps no other from hearing */
  constructor(tell: (task: () => void) => void) {
    this.#tell = tell;
  }

  broadcast(topic: string, message: string): void {
    for (const listener of this.#listeners.get(topic) ?? []) this.#tell(() => listener(message));
  }

  listen(topic: string, listener: (message: string) => void): () => Promise<void> {
    const listeners = this.#listeners.get(topic) ?? new Set();
    const hear = (message: string): void => listener(message);
    this.#listeners.set(topic, listeners.add(hear));
    return async () => {
      listeners.delete(hear);
      if (listeners.size === 0 && this.#listeners.get(topic) === listeners) this.#listeners.delete(topic);
    };
  }

  clear(): void {
    this.#listeners.clear();
  }
}
