import { TuttiError } from "@tutti/protocol";
import type { Authenticator } from "./admission.js";
import { Channels } from "./channels.js";
import { Connection, type ConnectionMetadata } from "./connection.js";
import { Memberships, type Target } from "./memberships.js";
import type { NodeState } from "./node-state.js";
import { Publishers } from "./publishers.js";
import type { Services } from "./services.js";
import { Sessions } from "./sessions.js";
import type { ConnectionEvents, HandshakeRequest, ServerTransport } from "./transport.js";

const SWEEP_MS = 1_000;
const SETTLE_MS_MAX = 2_000;
const SETTLE_STEP_MS = 20;

/** All connections of one node, and what looks after them. */
export class Hub {
  readonly node: NodeState;
  #cancelSweep = (): void => {};
  #headsCheckedAt: number;
  #isDraining = false;
  #acceptedCount = 0;

  constructor(services: Services, authenticator: Authenticator) {
    const channels = new Channels(services);
    this.node = {
      services,
      authenticator,
      connections: new Set(),
      channels,
      sessions: new Sessions(),
      memberships: new Memberships(),
      publishers: new Publishers(services, channels),
    };
    this.#headsCheckedAt = services.environment.elapsed();
    this.#scheduleSweep();
  }

  get connectionCount(): number {
    return this.node.connections.size;
  }

  get outboxBytes(): number {
    let bytes = 0;
    for (const { outbox } of this.node.connections) bytes += outbox.bytes;
    return bytes;
  }

  /** Whether new connections are taken. */
  get isOpen(): boolean {
    return !this.#isDraining && this.node.connections.size < this.node.services.bounds.connectionsMax;
  }

  /** Takes over a connection of a transport. */
  accept(transport: ServerTransport, request?: HandshakeRequest): ConnectionEvents {
    const connection = new Connection({ ordinal: this.#acceptedCount++, node: this.node, transport, request });
    const isOpen = this.isOpen;
    this.node.connections.add(connection);
    if (!isOpen) connection.fail(this.#isDraining ? this.#draining(0) : new TuttiError("UNAVAILABLE", { message: "the server is full" }));
    return connection;
  }

  connections(): ConnectionMetadata[] {
    return Array.from(this.node.sessions.all(), ({ metadata }) => metadata).filter((metadata) => metadata !== undefined);
  }

  /** Ends connections for good: the clients do not come back by themselves. */
  disconnect(target: Target, reason: string): void {
    for (const connection of this.node.sessions.of(target)) connection.fail(new TuttiError("KICKED", { message: reason }), "leave");
  }

  /** Takes no more connections and sends away those that are there, spread over `withinMs`. Resolves when all were told to go. */
  async drain(withinMs: number): Promise<void> {
    const { environment } = this.node.services;
    this.#isDraining = true;
    const until = environment.elapsed() + SETTLE_MS_MAX;
    // Acks of what is being appended go out before the connections end.
    while (this.#hasUnanswered() && environment.elapsed() < until) {
      await new Promise<void>((resolve) => void environment.after(SETTLE_STEP_MS, resolve));
    }
    for (const connection of this.node.connections) connection.fail(this.#draining(withinMs));
  }

  async close(): Promise<void> {
    this.#cancelSweep();
    await this.drain(0);
    await this.node.channels.close();
  }

  #hasUnanswered(): boolean {
    for (const { requests } of this.node.connections) if (requests !== undefined && !requests.isIdle) return true;
    return false;
  }

  #draining(withinMs: number): TuttiError {
    const retryAfterMs = Math.floor(this.node.services.environment.random() * withinMs);
    return new TuttiError("SERVER_DRAINING", { message: "the server is about to stop", retryAfterMs });
  }

  #scheduleSweep(): void {
    this.#cancelSweep = this.node.services.environment.after(SWEEP_MS, () => {
      this.#sweep();
      this.#scheduleSweep();
    });
  }

  /** One timer for all connections and channels. */
  #sweep(): void {
    const { environment, bounds } = this.node.services;
    const now = environment.elapsed();
    // Silence is counted in sweeps: a loop that stands still hears nothing, and does not sweep either.
    const silentSweepsMax = Math.ceil(bounds.silenceMsMax / SWEEP_MS);
    for (const connection of this.node.connections) connection.sweep(now, silentSweepsMax);
    this.node.channels.closeIdle();
    this.node.publishers.sweep();
    if (now - this.#headsCheckedAt < bounds.headCheckMs) return;
    this.#headsCheckedAt = now;
    void this.node.channels.checkHeads();
  }
}
