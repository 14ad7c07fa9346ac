import { TuttiError, type Environment } from "@tutti/protocol";
import type { Line } from "./line.js";
import type { DeliveryLink } from "./link.js";
import { unavailable } from "./redis-error.js";

type Listener = (message: string) => void;

interface Topic {
  readonly listeners: Set<Listener>;
  /** Settles when Redis acknowledged. */
  readonly ready: Promise<void>;
}

/**
 * What is listened to at one server of Redis: each topic once, whoever listens here, and none that nobody does. On a new link all of it is asked for again before that is
 * used.
 */
export class Topics {
  readonly #environment: Environment;
  readonly #line: Line<DeliveryLink>;
  readonly #timeoutMs: number;
  readonly #topics = new Map<string, Topic>();

  constructor(environment: Environment, line: Line<DeliveryLink>, timeoutMs: number) {
    this.#environment = environment;
    this.#line = line;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Hears what is published to a topic from the moment on at which it resolves.
   *
   * @throws TuttiError `UNAVAILABLE`
   */
  async listen(name: string, listener: Listener): Promise<() => Promise<void>> {
    const topic = this.#topics.get(name) ?? this.#add(name);
    topic.listeners.add(listener);
    try {
      await this.#inTime(topic.ready);
    } catch (error) {
      await this.#leave(name, topic, listener);
      throw unavailable(error);
    }
    return () => this.#leave(name, topic, listener);
  }

  /** Asks for all of it on a new link. */
  resubscribe(link: DeliveryLink): Promise<void> {
    const names = [...this.#topics.keys()];
    return names.length === 0 ? Promise.resolve() : this.#inTime(link.subscribe(names, this.#hear));
  }

  has(name: string): boolean {
    return this.#topics.has(name);
  }

  get isEmpty(): boolean {
    return this.#topics.size === 0;
  }

  #add(name: string): Topic {
    const topic: Topic = { listeners: new Set(), ready: this.#line.link.subscribe([name], this.#hear) };
    this.#topics.set(name, topic);
    return topic;
  }

  async #leave(name: string, topic: Topic, listener: Listener): Promise<void> {
    topic.listeners.delete(listener);
    if (topic.listeners.size > 0 || this.#topics.get(name) !== topic) return;
    this.#topics.delete(name);
    await this.#unsubscribe(name);
  }

  async #unsubscribe(name: string): Promise<void> {
    try {
      await this.#inTime(this.#line.link.unsubscribe(name, this.#hear));
    } catch {
      // With the link its subscriptions end, and nobody listens any more.
    }
  }

  readonly #hear = (message: string, name: string): void => {
    const topic = this.#topics.get(name);
    // Left while a new link was made.
    if (topic === undefined) return void this.#unsubscribe(name);
    for (const listener of topic.listeners) {
      try {
        listener(message);
      } catch (error) {
        // The error of a listener is the application's, and must not end the connection.
        this.#environment.defer(() => {
          throw error;
        });
      }
    }
  };

  #inTime(done: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      const error = new TuttiError("UNAVAILABLE", { message: `Redis did not answer within ${this.#timeoutMs} ms` });
      const cancel = this.#environment.after(this.#timeoutMs, () => reject(error));
      done.then(resolve, reject).finally(cancel);
    });
  }
}
