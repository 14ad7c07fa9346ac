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
} as const;
const history = { countMin: 8, ageMsMin: 3_000, countMax: 40 };
const tinyHistory = { countMin: 1, ageMsMin: 0, countMax: 2 };
export const HOST = "server.test";
const SLOW_HANDLER_MS = 700;

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

interface HostParts {
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
  /** A new process for each start. */
  readonly newProcess: (name: string) => Participant;
}

/** Where the server runs: starts it, kills it, starts another one. */
export class Host {
  readonly permits: Permits;
  readonly #parts: HostParts;
  #process: Participant;
  #server: Server<SimulationContract>;
  #stopListening: () => void = () => {};
  #startCount = 0;
  #isDraining = false;

  constructor(parts: HostParts) {
    this.#parts = parts;
    this.permits = parts.permits;
    [this.#process, this.#server] = this.#begin();
  }

  get process(): Participant {
    return this.#process;
  }

  get server(): Server<SimulationContract> {
    return this.#server;
  }

  get isRunning(): boolean {
    return !this.#process.isStopped;
  }

  /** Starts a server where none runs that takes connections. */
  start(): void {
    if (this.#isDraining) this.crash("kept");
    if (!this.isRunning) [this.#process, this.#server] = this.#begin();
  }

  /** Kills the server; the machine it ran on says so to the clients, or is gone as well. */
  crash(machine: "kept" | "gone"): void {
    if (!this.isRunning) return;
    this.#isDraining = false;
    this.#stopListening();
    this.#process.stop();
    this.#parts.broker.lose(this.#process, machine);
    this.permits.enforceAll();
    for (const connection of this.#parts.network.connections()) if (connection.server === this.#process) connection.loseServer(machine);
  }

  /** Sends everybody away, as before a deploy. */
  drain(withinMs: number): void {
    if (!this.isRunning || this.#isDraining) return;
    this.#isDraining = true;
    void this.#server.drain({ withinMs });
  }

  /** Withdraws the permission of a user, and ends the subscriptions that there are. */
  ban(user: string, channel: string): void {
    this.permits.deny(user, channel);
    const server = this.#server;
    this.#process.defer(() => {
      if (this.permits.may(user, channel)) return;
      server.channel(...placeOf(channel)).revoke({ user });
      this.permits.enforce(user, channel);
    });
    if (!this.isRunning) this.permits.enforce(user, channel);
  }

  /** Sends a user away, from one channel or from all. */
  kick(user: string, channel: string | undefined): void {
    if (channel === undefined) this.#server.disconnect({ user }, "sent away");
    else this.#server.channel(...placeOf(channel)).kick({ user }, "sent away");
  }

  /** Publishes from the application's own code. Never answered where the server dies. */
  publish(channel: string, item: Item, key: string): Promise<{ readonly position: Position; readonly eventId: string }> {
    if (channel === "board:1") return this.#server.channel("board:{id}", { id: "1" }).publish("mark:add", item, { key });
    return this.#server.channel("feed:{id}", { id: "1" }).publish("note:add", item, { key });
  }

  #begin(): [Participant, Server<SimulationContract>] {
    const { seed, network, complain, broker, guards, bounds, newProcess, handlings, nowMs, hasTinyHistory } = this.#parts;
    const { turnMsMax, signalFlushMs, ...delivery } = this.#parts.delivery;
    const environment = newProcess(`server${++this.#startCount}`);
    const publish = ({ payload }: { readonly payload: Item }): Promise<Item | undefined> => {
      handlings.note({ node: environment.name, token: payload.token, atMs: nowMs() });
      return handle(payload, environment);
    };
    const authorize = ({ user, channel }: { readonly user: { readonly id: string } | undefined; readonly channel: string }): boolean =>
      this.permits.may(user?.id, channel);
    const namespace = { history: hasTinyHistory ? tinyHistory : history, signalFlushMs };
    const server = createServer({
      ...serverBounds,
      ...delivery,
      ...bounds,
      contract,
      environment: new BusyEnvironment(environment, new RandomStream(seed, `turns of ${environment.name}`), turnMsMax),
      guards,
      log: silentLog,
      broker: broker.connect(environment),
      authenticate: ({ token }) => claimsOf(token),
      channels: {
        "board:{id}": { authorize, publish: { "mark:add": publish, "mark:poison": publish } },
        "feed:{id}": { authorize, publish: { "note:add": publish } },
      },
      namespaces: { board: namespace, feed: namespace },
    });
    this.#stopListening = network.listen(HOST, environment, (transport, request) => {
      const watch = new WireWatch(`${transport.remoteAddress} at ${environment.name}`, complain);
      return watch.events(server.accept(watch.transport(transport), request));
    });
    return [environment, server];
  }
}

function placeOf(channel: string): ["board:{id}" | "feed:{id}", { id: string }] {
  return [channel === "board:1" ? "board:{id}" : "feed:{id}", { id: "1" }];
}
