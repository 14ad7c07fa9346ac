import { TuttiError, type Environment, type Position } from "@tutti/protocol";
import { createServer, silentLog, type Server, type ServerGuards } from "@tutti/server";
import { RandomStream, type Participant, type SimulatedNetwork } from "@tutti/testkit";
import type { BrokerSite } from "./broker-site.js";
import { BusyEnvironment } from "./busy-environment.js";
import { contract, type Item, type SimulationContract } from "./contract.js";
import type { Handlings } from "./handlings.js";
import { claimsOf } from "./issuer.js";
import type { Permits } from "./permits.js";
import type { ServerGuardsOff } from "./profiles.js";
import type { Delivery } from "./weather.js";
import { WireWatch, type Complain } from "./wire-watch.js";

/** Small enough for a seed to meet its ends. */
export const serverBounds = {
  outboxBytesMax: 20 * 1024,
  snapshotEvery: 6,
  channelIdleMs: 5_000,
  presenceDigestMax: 1,
} as const;
const history = { countMin: 8, ageMsMin: 3_000, countMax: 40 };
const tinyHistory = { countMin: 1, ageMsMin: 0, countMax: 2 };
const SLOW_HANDLER_MS = 700;
/** The same at all nodes, so that each takes the requests of links that another one holds. */
const SESSION_KEYS = ["the key of all nodes, of 32 bytes and more"];

/** Does with an event what it wishes; what it throws refuses the event for good. */
async function handle(item: Item, environment: Environment): Promise<Item | undefined> {
  switch (item.wish) {
    case "plain":
      return undefined;
    case "changed":
      return { ...item, stamp: "changed" };
    case "refused":
      throw new TuttiError("NOT_TODAY", { message: "the application refuses" });
    case "crash":
      throw new Error("the handler is broken");
    case "slow":
      await new Promise<void>((resolve) => void environment.after(SLOW_HANDLER_MS * environment.random(), resolve));
      return undefined;
  }
}

/** What every node of a run is made with. */
export interface NodeParts {
  readonly seed: number;
  readonly network: SimulatedNetwork;
  readonly broker: BrokerSite;
  readonly permits: Permits;
  readonly handlings: Handlings;
  readonly nowMs: () => number;
  readonly hasTinyHistory: boolean;
  readonly delivery: Delivery;
  /** The bound that a guard is switched off by. */
  readonly bounds: ServerGuardsOff["bounds"];
  readonly guards: ServerGuards;
  /** Hears what is wrong in what is sent over a connection. */
  readonly complain: Complain;
}

/** What a node is up to. Only one that is running takes connections. `gone`: with the machine that it ran on. */
type NodeState = "running" | "draining" | "killed" | "gone";

/** One server, in a process of its own, from its start to its end. */
export class ServerNode {
  /** Where its connections arrive. */
  readonly host: string;
  readonly process: Participant;
  readonly server: Server<SimulationContract>;
  readonly #parts: NodeParts;
  readonly #stopListening: () => void;
  #state: NodeState = "running";
  #turnedAtMs = 0;
  #frozenAtMs = 0;

  constructor(parts: NodeParts, process: Participant, host: string) {
    this.#parts = parts;
    this.process = process;
    this.host = host;
    const { network, complain } = parts;
    this.server = createServer(this.#options());
    const stopSockets = network.listen(host, process, (transport, request) => {
      const watch = new WireWatch(`${transport.remoteAddress} at ${process.name}`, complain);
      return watch.events(this.server.accept(watch.transport(transport), request));
    });
    const stopHttp = network.listenHttp(host, process, this.server.http());
    this.#stopListening = () => {
      stopSockets();
      stopHttp();
    };
  }

  get state(): NodeState {
    return this.#state;
  }

  /** Whether its process is there. */
  get isAlive(): boolean {
    return !this.process.isStopped;
  }

  /** Whether it stands still now. */
  get isFrozen(): boolean {
    return this.process.frozenUntilMs > this.#parts.nowMs();
  }

  /** Since when a look at it tells that it takes no connections, in simulated ms; `Infinity` while it takes them. */
  get troubledSinceMs(): number {
    if (this.#state !== "running") return this.#turnedAtMs;
    return this.isFrozen ? this.#frozenAtMs : Infinity;
  }

  /** Kills it; the machine it ran on says so to the clients, or is gone as well. */
  kill(machine: "kept" | "gone"): void {
    if (!this.isAlive) return;
    this.#turn(machine === "kept" ? "killed" : "gone");
    this.#stopListening();
    this.process.stop();
    const { broker, network } = this.#parts;
    broker.lose(this.process, machine);
    for (const connection of network.connections()) if (connection.server === this.process) connection.loseServer(machine);
  }

  /** Sends everybody away, as before a deploy. */
  drain(withinMs: number): void {
    if (this.#state !== "running") return;
    this.#turn("draining");
    void this.server.drain({ withinMs });
  }

  /** Frees all that it holds, and ends its process. */
  async close(): Promise<void> {
    await this.server.close().catch(() => {});
    this.kill("kept");
  }

  /** Stands still, as by SIGSTOP: its sockets stay open. */
  freeze(forMs: number): void {
    if (!this.isFrozen) this.#frozenAtMs = this.#parts.nowMs();
    this.process.freeze(forMs);
  }

  /** Publishes from the application's own code. Never answered where the server dies. */
  publish(channel: string, item: Item, key: string): Promise<{ readonly position: Position; readonly eventId: string }> {
    if (channel === "board:1") return this.server.channel("board:{id}", { id: "1" }).publish("mark:add", item, { key });
    return this.server.channel("feed:{id}", { id: "1" }).publish("note:add", item, { key });
  }

  /** Ends the subscriptions of a user to a channel, at every node. Resolves when all that live have done so. */
  revoke(user: string, channel: string): Promise<void> {
    return this.server.channel(...placeOf(channel)).revoke({ user });
  }

  /** Sends a user away, from one channel or from all, at every node. */
  kick(user: string, channel: string | undefined): void {
    if (channel === undefined) void this.server.disconnect({ user }, "sent away");
    else void this.server.channel(...placeOf(channel)).kick({ user }, "sent away");
  }

  #turn(state: NodeState): void {
    this.#state = state;
    this.#turnedAtMs = this.#parts.nowMs();
  }

  #options(): Parameters<typeof createServer<SimulationContract>>[0] {
    const { seed, broker, guards, bounds, handlings, permits, nowMs, hasTinyHistory } = this.#parts;
    const { turnMsMax, signalFlushMs, ...delivery } = this.#parts.delivery;
    const environment = this.process;
    const publish = ({ payload }: { readonly payload: Item }): Promise<Item | undefined> => {
      handlings.note({ node: environment.name, token: payload.token, atMs: nowMs() });
      return handle(payload, environment);
    };
    const authorize = ({ user, channel }: { readonly user: { readonly id: string } | undefined; readonly channel: string }): boolean =>
      permits.may(user?.id, channel);
    const namespace = { history: hasTinyHistory ? tinyHistory : history, signalFlushMs };
    return {
      ...serverBounds,
      ...delivery,
      ...bounds,
      contract,
      environment: new BusyEnvironment(environment, new RandomStream(seed, `turns of ${environment.name}`), turnMsMax),
      guards,
      log: silentLog,
      sessionKeys: SESSION_KEYS,
      broker: broker.connect(environment),
      authenticate: ({ token }) => claimsOf(token),
      channels: {
        "board:{id}": { authorize, publish: { "mark:add": publish, "mark:poison": publish } },
        "feed:{id}": { authorize, publish: { "note:add": publish } },
      },
      namespaces: { board: namespace, feed: namespace },
    };
  }
}

function placeOf(channel: string): ["board:{id}" | "feed:{id}", { id: string }] {
  return [channel === "board:1" ? "board:{id}" : "feed:{id}", { id: "1" }];
}
