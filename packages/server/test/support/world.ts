import type { Contract, UntypedContract } from "@tutti/protocol";
import { createServer, memoryBroker, type Log, type Server, type ServerOptions } from "@tutti/server";
import { FaultyBroker } from "./faulty-broker.js";
import { ManualEnvironment } from "./manual-environment.js";
import { Peer, type HelloOptions } from "./peer.js";

/** A log that remembers what it was told. */
class RecordingLog implements Log {
  readonly warnings: string[] = [];
  readonly errors: string[] = [];

  info(): void {}

  warn(message: string): void {
    this.warnings.push(message);
  }

  error(message: string): void {
    this.errors.push(message);
  }
}

/** A server with all that it stands on, and those who talk to it. */
export class World<C extends Contract = UntypedContract> {
  readonly environment = new ManualEnvironment();
  readonly broker: FaultyBroker;
  readonly log = new RecordingLog();
  readonly server: Server<C>;
  #secrets = 0;

  constructor(options: ServerOptions<C> = {}) {
    const { environment } = this;
    this.broker = new FaultyBroker(options.broker ?? memoryBroker({ environment }));
    this.server = createServer<C>({ log: this.log, ...options, environment, broker: this.broker });
  }

  /** A connection that has not said hello. */
  connect(): Peer {
    return new Peer(this.server, this.environment);
  }

  /** A connection that has been welcomed; each in a session of its own, unless `hello` brings a secret. */
  async peer(hello: HelloOptions = {}): Promise<Peer> {
    const peer = this.connect();
    const welcome = await peer.hello({ secret: `secret-${++this.#secrets}`.padEnd(22, "-"), ...hello });
    if (welcome === undefined) throw new Error(`not welcomed: ${peer.errorCodes.join()}`);
    return peer;
  }

  settle(): Promise<void> {
    return this.environment.settle();
  }

  advance(ms: number): Promise<void> {
    return this.environment.advance(ms);
  }

  /** The public id of a peer's session. */
  sessionOf(peer: Peer): string {
    const [welcome] = peer.of("welcome");
    if (welcome === undefined) throw new Error("never welcomed");
    return welcome.session;
  }
}
