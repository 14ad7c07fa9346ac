import { memoryBroker, type Broker } from "@tutti/server";
import { SimulatedClock } from "./clock.js";
import { SimulatedNetwork } from "./network.js";
import { Participant, type ClockSkew } from "./participant.js";
import { SimulatedBroker, type Landing } from "./simulated-broker.js";
import { Trace } from "./trace.js";

export interface SimulateOptions {
  /** Decides everything that is left to chance. */
  readonly seed?: number;
  /** Keeps a readable line of everything that happens, in `clock.trace.lines`. */
  readonly keepLines?: boolean;
}

export interface WorldBrokerOptions {
  /** Makes the log behind the broker; one in memory unless given. */
  readonly create?: (process: Participant) => Broker;
  /** Makes it anew with the data that it has, under another epoch, where a broker that was rolled back is to notice what it lost. */
  readonly beginEpoch?: (process: Participant) => Broker;
  /** Hears of every event that lands, at the moment it does. */
  readonly landed?: (landing: Landing) => void;
}

/** A simulated world: one clock, one network, and the processes in it. */
export class SimulatedWorld {
  readonly clock: SimulatedClock;
  readonly network: SimulatedNetwork;
  readonly #seed: number;

  constructor({ seed = 1, keepLines = false }: SimulateOptions = {}) {
    this.#seed = seed;
    this.clock = new SimulatedClock(new Trace({ keepLines }));
    this.network = new SimulatedNetwork(this.clock, seed);
  }

  /** A process with clocks and chances of its own: the environment of a client or a server. */
  process(name: string, skew?: ClockSkew): Participant {
    return new Participant(this.clock, name, this.#seed, skew);
  }

  /** A broker in a process of its own. Each server node gets its `connect(process)`. */
  broker({ create = (environment) => memoryBroker({ environment }), beginEpoch, landed }: WorldBrokerOptions = {}): SimulatedBroker {
    const participant = this.process("broker");
    const { clock } = this;
    return new SimulatedBroker({
      clock,
      participant,
      seed: this.#seed,
      create: () => create(participant),
      ...(beginEpoch !== undefined && { beginEpoch: () => beginEpoch(participant) }),
      ...(landed !== undefined && { landed }),
    });
  }
}

/**
 * A world to test an application in: time passes only when the test says so, and the network fails only as the test says.
 *
 * @example
 * const world = simulate();
 * const environment = world.process("server");
 * const server = createServer({ contract, environment });
 * world.network.listen("server.test", environment, server.accept);
 * const page = world.process("page");
 * const client = createClient({ contract, url: "ws://server.test/", environment: page, transport: world.network.transport(page) });
 * void client.channel("room:{id}", { id: "1" }).subscribe();
 * await world.clock.advance(1_000);
 */
export function simulate(options: SimulateOptions = {}): SimulatedWorld {
  return new SimulatedWorld(options);
}
