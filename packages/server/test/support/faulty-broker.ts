import { TuttiError, type LastSeen, type Position, type Rewind, type WireError } from "@tutti/protocol";
import type {
  AppendRequest,
  Broker,
  BrokerHealth,
  EventRun,
  Head,
  IdempotencyKey,
  Keep,
  Outcome,
  Page,
  PublisherCount,
  ReadOptions,
  StoredSnapshot,
} from "@tutti/server";

type Operation = Exclude<keyof Broker, "close" | "health">;

interface Fault {
  readonly operation: Operation;
  /** The one log of Tutti's own that it is about; without it the application's. */
  readonly own?: string;
  /** Settles when the operation may go on; rejects where it fails. */
  readonly before?: Promise<void>;
  /** Settles when the answer may come back, after the operation has taken effect; rejects where the answer is lost. */
  readonly after?: Promise<void>;
}

/** A broker that loses, delays and fails as a test wants it; without a wish it does what the one behind it does. */
export class FaultyBroker implements Broker {
  /** The broker behind; another one stands for one that lost its data. */
  inner: Broker;
  /** Which runs the bus loses. */
  loses: (run: EventRun) => boolean = () => false;
  /** What it says of itself. */
  health: () => BrokerHealth = () => ({ status: "ready" });
  /** What was asked of it, in order. */
  readonly calls: Operation[] = [];
  #faults: Fault[] = [];
  readonly #listeners = new Set<(run: EventRun) => void>();

  constructor(inner: Broker) {
    this.inner = inner;
  }

  /** How many subscriptions to the bus there are. */
  get listenerCount(): number {
    return this.#listeners.size;
  }

  /** The bus brings this to all that listen, whatever stands in the log. */
  bring(run: EventRun): void {
    for (const listener of this.#listeners) listener(run);
  }

  countOf(operation: Operation): number {
    return this.calls.filter((call) => call === operation).length;
  }

  /** The next such operation fails, and nothing has happened. */
  failNext(operation: Operation): void {
    this.#faults.push({ operation, before: failure() });
  }

  /** The same, for a log of Tutti's own. */
  failNextOf(own: string, operation: Operation): void {
    this.#faults.push({ operation, own, before: failure() });
  }

  /** The same as {@link holdNext}, for a log of Tutti's own. */
  holdNextOf(own: string, operation: Operation): () => void {
    const { gate, open } = newGate();
    this.#faults.push({ operation, own, before: gate });
    return open;
  }

  /** The next such operation takes effect, and its answer is lost. */
  loseAnswerOfNext(operation: Operation): void {
    this.#faults.push({ operation, after: failure() });
  }

  /** The next such operation waits, until what is returned is called. */
  holdNext(operation: Operation): () => void {
    const { gate, open } = newGate();
    this.#faults.push({ operation, before: gate });
    return open;
  }

  /** The next such operation takes effect, and its answer waits until what is returned is called; with `true` it is lost then. */
  holdAnswerOfNext(operation: Operation): (isLost?: boolean) => void {
    const { gate, open } = newGate();
    let isLost = false;
    this.#faults.push({ operation, after: gate.then(() => (isLost ? failure() : undefined)) });
    return (lost = false) => {
      isLost = lost;
      open();
    };
  }

  append(channel: string, request: AppendRequest): Promise<Outcome> {
    return this.#do("append", () => this.inner.append(channel, request), channel);
  }

  refuse(channel: string, publisher: PublisherCount, error: WireError): Promise<Outcome> {
    return this.#do("refuse", () => this.inner.refuse(channel, publisher, error));
  }

  lookup(channel: string, id: PublisherCount | IdempotencyKey): Promise<Outcome | undefined> {
    return this.#do("lookup", () => this.inner.lookup(channel, id));
  }

  read(channel: string, after: LastSeen, options: ReadOptions): Promise<Page> {
    return this.#do("read", () => this.inner.read(channel, after, options), channel);
  }

  head(channel: string): Promise<Head> {
    return this.#do("head", () => this.inner.head(channel), channel);
  }

  heads(channels: readonly string[]): Promise<readonly Head[]> {
    return this.#do("heads", () => this.inner.heads(channels));
  }

  locate(channel: string, back: Rewind): Promise<LastSeen> {
    return this.#do("locate", () => this.inner.locate(channel, back));
  }

  trim(channel: string, upTo: Position, keep?: Keep): Promise<void> {
    return this.#do("trim", () => this.inner.trim(channel, upTo, keep), channel);
  }

  subscribe(channel: string, listener: (run: EventRun) => void): Promise<() => Promise<void>> {
    if (isOwn(channel)) return this.inner.subscribe(channel, listener);
    return this.#do("subscribe", async () => {
      const end = await this.inner.subscribe(channel, (run) => {
        if (!this.loses(run)) listener(run);
      });
      this.#listeners.add(listener);
      return async () => {
        this.#listeners.delete(listener);
        await end();
      };
    });
  }

  broadcast(topic: string, message: string): Promise<void> {
    return this.#do("broadcast", () => this.inner.broadcast(topic, message));
  }

  listen(topic: string, listener: (message: string) => void): Promise<() => Promise<void>> {
    return this.#do("listen", () => this.inner.listen(topic, listener));
  }

  saveSnapshot(channel: string, snapshot: StoredSnapshot): Promise<boolean> {
    return this.#do("saveSnapshot", () => this.inner.saveSnapshot(channel, snapshot), channel);
  }

  loadSnapshot(channel: string): Promise<StoredSnapshot | undefined> {
    return this.#do("loadSnapshot", () => this.inner.loadSnapshot(channel), channel);
  }

  close(): Promise<void> {
    return this.inner.close();
  }

  #do<Result>(operation: Operation, act: () => Promise<Result>, channel = ""): Promise<Result> {
    const own = isOwn(channel) ? channel : undefined;
    if (own === undefined) this.calls.push(operation);
    const fault = this.#faults.find((each) => each.operation === operation && each.own === own);
    if (fault === undefined) return act();
    this.#faults = this.#faults.filter((each) => each !== fault);
    return this.#doWith(fault, act);
  }

  async #doWith<Result>({ before, after }: Fault, act: () => Promise<Result>): Promise<Result> {
    await before;
    const result = await act();
    await after;
    return result;
  }
}

/** Whether it is a log of Tutti's own: every node follows it from its start, and what a test wants lost or counted is the application's. */
function isOwn(channel: string): boolean {
  return channel.startsWith("$");
}

/** A rejection that nobody needs to hear. */
function failure(): Promise<void> {
  const failed = Promise.reject<void>(new TuttiError("UNAVAILABLE"));
  failed.catch(() => {});
  return failed;
}

function newGate(): { readonly gate: Promise<void>; readonly open: () => void } {
  let open = (): void => {};
  const gate = new Promise<void>((resolve) => (open = resolve));
  return { gate, open };
}
