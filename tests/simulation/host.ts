import { TuttiError, type Environment, type Position } from "@tutti/protocol";
import { createServer, silentLog, type Server, type ServerGuards } from "@tutti/server";
import type { Participant, SimulatedBroker, SimulatedNetwork } from "@tutti/testkit";
import { contract, type Item, type SimulationContract } from "./contract.js";

/** Small enough for a seed to meet its ends. */
export const serverBounds = {
  outboxBytesMax: 20 * 1024,
  snapshotEvery: 6,
  channelIdleMs: 5_000,
} as const;
const history = { countMin: 8, ageMsMin: 3_000, countMax: 40 };
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
  readonly network: SimulatedNetwork;
  readonly broker: SimulatedBroker;
  readonly guards: ServerGuards;
  /** A new process for each start. */
  readonly newProcess: (name: string) => Participant;
}

/** Where the server runs: starts it, kills it, starts another one. */
export class Host {
  readonly #parts: HostParts;
  #process: Participant;
  #server: Server<SimulationContract>;
  #stopListening: () => void = () => {};
  #startCount = 0;
  #isDraining = false;

  constructor(parts: HostParts) {
    this.#parts = parts;
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
    this.#parts.broker.disconnect(this.#process);
    for (const connection of this.#parts.network.connections()) if (connection.server === this.#process) connection.loseServer(machine);
  }

  /** Sends everybody away, as before a deploy. */
  drain(withinMs: number): void {
    if (!this.isRunning || this.#isDraining) return;
    this.#isDraining = true;
    void this.#server.drain({ withinMs });
  }

  /** Publishes from the application's own code. Never answered where the server dies. */
  publish(channel: string, item: Item, key: string): Promise<{ readonly position: Position; readonly eventId: string }> {
    if (channel === "board:1") return this.#server.channel("board:{id}", { id: "1" }).publish("mark:add", item, { key });
    return this.#server.channel("feed:{id}", { id: "1" }).publish("note:add", item, { key });
  }

  #begin(): [Participant, Server<SimulationContract>] {
    const { network, broker, guards, newProcess } = this.#parts;
    const environment = newProcess(`server${++this.#startCount}`);
    const publish = ({ payload }: { readonly payload: Item }): Promise<Item | undefined> => handle(payload, environment);
    const server = createServer({
      ...serverBounds,
      contract,
      environment,
      guards,
      log: silentLog,
      broker: broker.connect(environment),
      authenticate: ({ token }) => ({ id: token ?? "nobody" }),
      channels: { "board:{id}": { publish: { "mark:add": publish, "mark:poison": publish } }, "feed:{id}": { publish: { "note:add": publish } } },
      namespaces: { board: { history }, feed: { history } },
    });
    this.#stopListening = network.listen(HOST, environment, (transport, handshake) => server.accept(transport, handshake));
    return [environment, server];
  }
}
