import { TuttiError, type Contract, type UntypedContract } from "@tutti/protocol";
import { createServer, memoryBroker, type AppendRequest, type Broker, type EventRun, type Outcome, type Server, type ServerOptions } from "@tutti/server";
import { FaultyBroker } from "./faulty-broker.js";
import { ManualEnvironment } from "./manual-environment.js";
import { Peer, type HelloOptions } from "./peer.js";

interface LoggedLine {
  readonly level: "info" | "warn" | "error";
  readonly message: string;
}

/** One node's way to the broker that several share: what passes over it may be lost. */
export class BrokerLink extends FaultyBroker {
  /** Which deliveries do not arrive, of a log or of a topic. */
  losesDelivery: (about: string) => boolean = () => false;
  /** Which broadcasts do not leave. */
  losesBroadcast: (topic: string) => boolean = () => false;
  /** Which logs cannot be written. */
  refusesAppend: (channel: string) => boolean = () => false;
  readonly #hearing = new Map<string, (run: EventRun) => void>();
  /** What left, oldest first. */
  readonly told: { readonly topic: string; readonly message: string }[] = [];

  /** The messages of a kind that left on a topic. */
  toldOn(topic: string, kind: string): string[] {
    return this.told.filter((each) => each.topic === topic && each.message.includes(`"kind":"${kind}"`)).map(({ message }) => message);
  }

  /** Nothing passes any more. */
  cut(): void {
    this.losesDelivery = this.losesBroadcast = () => true;
  }

  override async append(channel: string, request: AppendRequest): Promise<Outcome> {
    if (this.refusesAppend(channel)) throw new TuttiError("UNAVAILABLE");
    return super.append(channel, request);
  }

  override subscribe(channel: string, listener: (run: EventRun) => void): Promise<() => Promise<void>> {
    this.#hearing.set(channel, listener);
    return super.subscribe(channel, (run) => {
      if (!this.losesDelivery(channel)) listener(run);
    });
  }

  /** The bus brings this to whoever subscribed to a channel last. */
  bringTo(channel: string, run: EventRun): void {
    this.#hearing.get(channel)?.(run);
  }

  override listen(topic: string, listener: (message: string) => void): Promise<() => Promise<void>> {
    return super.listen(topic, (message) => {
      if (!this.losesDelivery(topic)) listener(message);
    });
  }

  override async broadcast(topic: string, message: string): Promise<void> {
    if (this.losesBroadcast(topic)) return;
    this.told.push({ topic, message });
    await super.broadcast(topic, message);
  }

  /** The broker behind is the others' too. */
  override async close(): Promise<void> {}
}

/** One of several nodes. */
export class Neighbour<C extends Contract> {
  readonly server: Server<C>;
  readonly link: BrokerLink;
  readonly lines: LoggedLine[] = [];
  readonly #environment: ManualEnvironment;

  constructor(environment: ManualEnvironment, shared: Broker, options: ServerOptions<C>) {
    const log = (level: LoggedLine["level"]) => (message: string) => void this.lines.push({ level, message });
    this.#environment = environment;
    this.link = new BrokerLink(shared);
    this.server = createServer<C>({ ...options, environment, broker: this.link, log: { info: log("info"), warn: log("warn"), error: log("error") } });
  }

  /** A connection that has said hello and was welcomed. */
  async peer(hello: HelloOptions): Promise<Peer> {
    const peer = new Peer(this.server, this.#environment);
    if ((await peer.hello(hello)) === undefined) throw new Error(`not welcomed: ${peer.errorCodes.join()}`);
    return peer;
  }

  linesOf(level: LoggedLine["level"]): string[] {
    return this.lines.filter((line) => line.level === level).map(({ message }) => message);
  }
}

/** Several nodes on one broker in memory, in one process and on one clock. */
export class Neighbours<C extends Contract = UntypedContract> {
  readonly environment = new ManualEnvironment();
  readonly shared = memoryBroker({ environment: this.environment });
  readonly #options: ServerOptions<C>;
  #secrets = 0;

  constructor(options: ServerOptions<C> = {}) {
    this.#options = options;
  }

  /** A node that knows the others, as they know it. */
  async start(): Promise<Neighbour<C>> {
    const node = this.starting();
    await this.environment.settle();
    return node;
  }

  /** A node that has done nothing yet. */
  starting(): Neighbour<C> {
    return new Neighbour(this.environment, this.shared, this.#options);
  }

  /** A peer at a node, in a session of its own. */
  peerAt(node: Neighbour<C>, hello: HelloOptions = {}): Promise<Peer> {
    return node.peer({ secret: `secret-${++this.#secrets}`.padEnd(22, "-"), ...hello });
  }

  settle(): Promise<void> {
    return this.environment.settle();
  }

  advance(ms: number): Promise<void> {
    return this.environment.advance(ms);
  }
}

/** The public id of a peer's session. */
export function sessionOf(peer: Peer): string {
  const [welcome] = peer.of("welcome");
  if (welcome === undefined) throw new Error("never welcomed");
  return welcome.session;
}
