import { Channels } from "./channels/channels.js";
import { Commands } from "./commands/commands.js";
import { Connection, type ConnectionMetadata } from "./connections/connection.js";
import type { HandshakeRequest, ServerTransport } from "./connections/transport.js";
import { HttpLinks } from "./http/links/http-links.js";
import { Readers } from "./http/readers.js";
import { Drain, type DrainOptions } from "./lifecycle/drain.js";
import { HelloGate } from "./lifecycle/hello-gate.js";
import { LoopLag } from "./lifecycle/loop-lag.js";
import { ReadinessWatch, type Health } from "./lifecycle/readiness.js";
import type { NodeState } from "./node-state.js";
import type { Authenticator } from "./policy/admission.js";
import { Publishers } from "./publishing/publishers.js";
import type { Services } from "./services.js";
import { Forwarder } from "./sessions/forwarding.js";
import { SessionClaims } from "./sessions/session-claims.js";
import { Sessions } from "./sessions/sessions.js";
import type { Target } from "./target.js";

const SWEEP_MS = 1_000;

/** All connections of one node, and what looks after them. */
export class Hub {
  readonly node: NodeState;
  /** Those of its connections that come over HTTP. */
  readonly links: HttpLinks;
  #cancelSweep = (): void => {};
  #headsCheckedAt: number;
  readonly #drain: Drain;
  readonly #lag = new LoopLag();
  readonly #startedAt: number;
  /** When the sweep should have come. */
  #sweepDueAt = 0;
  #acceptedCount = 0;

  constructor(services: Services, authenticator: Authenticator) {
    const { environment, bounds, brokerWatch, bus, nodes, lease, log, guards } = services;
    const connections = new Set<Connection>();
    const hellos = new HelloGate({ environment, bounds });
    const readers = new Readers(bounds);
    this.#drain = new Drain([connections, readers], environment);
    const sessions = new Sessions();
    const channels = new Channels(services, sessions);
    const random = (): number => environment.random();
    const readiness = new ReadinessWatch({ bounds, connections, hellos, drain: this.#drain, lag: this.#lag, broker: brokerWatch, lease, log, random });
    this.node = {
      services,
      authenticator,
      connections,
      hellos,
      readiness,
      channels,
      sessions,
      readers,
      claims: new SessionClaims({ environment, bounds, bus, nodes, sessions, guards }),
      forwarder: new Forwarder(services),
      commands: new Commands(services, { sessions, readers }, readiness.starting("the log of commands")),
      publishers: new Publishers(services, channels),
    };
    this.links = new HttpLinks(this.node, (transport, request) => this.accept(transport, request));
    this.#headsCheckedAt = this.#startedAt = environment.elapsed();
    this.#scheduleSweep();
    services.nodes.start();
  }

  get connectionCount(): number {
    return this.node.connections.size;
  }

  get outboxBytes(): number {
    let bytes = 0;
    for (const { outbox } of this.node.connections) bytes += outbox.bytes;
    return bytes;
  }

  get health(): Health {
    const { services, hellos } = this.node;
    return { status: "live", node: services.node, upMs: services.environment.elapsed() - this.#startedAt, loopLagMs: this.#lag.ms, hellosWaiting: hellos.waiting };
  }

  /** Takes over a connection of a transport. */
  accept(transport: ServerTransport, request?: HandshakeRequest): Connection {
    const connection = new Connection({ ordinal: this.#acceptedCount++, node: this.node, transport, request });
    const refusal = this.node.readiness.refusal();
    this.node.connections.add(connection);
    if (refusal !== undefined) connection.fail(refusal);
    return connection;
  }

  connections(): ConnectionMetadata[] {
    return Array.from(this.node.sessions.all(), ({ metadata }) => metadata).filter((metadata) => metadata !== undefined);
  }

  /** Ends connections for good: the clients do not come back by themselves. */
  disconnect(target: Target, reason: string): Promise<void> {
    return this.node.commands.disconnect(target, reason);
  }

  /** Takes no more connections, and sends away those that are there. Resolves when they are gone. */
  drain(options: DrainOptions): Promise<void> {
    return this.#drain.start(options);
  }

  async close(): Promise<void> {
    this.#cancelSweep();
    await this.#drain.hurry();
    this.links.close();
    this.node.forwarder.close();
    await this.node.channels.close();
    await this.node.commands.close();
    this.node.services.signalRelay.close();
    this.node.services.presence.close();
    await this.node.services.nodes.stop();
  }

  #scheduleSweep(): void {
    const { environment } = this.node.services;
    this.#sweepDueAt = environment.elapsed() + SWEEP_MS;
    this.#cancelSweep = environment.after(SWEEP_MS, () => {
      this.#sweep();
      this.#scheduleSweep();
    });
  }

  /** One timer for all connections and channels. */
  #sweep(): void {
    const { environment, bounds, brokerWatch, guards } = this.node.services;
    const now = environment.elapsed();
    this.#lag.note(now - this.#sweepDueAt);
    for (const connection of this.node.connections) connection.sweep(now, SWEEP_MS);
    this.node.readers.sweep(now);
    this.node.channels.closeIdle();
    this.node.publishers.sweep();
    this.node.hellos.sweep(now);
    brokerWatch.look();
    this.node.readiness.look();
    if (now - this.#headsCheckedAt < bounds.headCheckMs) return;
    this.#headsCheckedAt = now;
    void this.node.channels.checkHeads();
    if (guards.headCheck !== false) void this.node.commands.checkHead();
  }
}
