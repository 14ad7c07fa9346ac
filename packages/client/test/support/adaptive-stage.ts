import { makeAdaptiveTransport, type AdaptiveTransport } from "../../src/adaptive/adaptive-transport.js";
import type { AttentionLevel } from "../../src/adaptive/attention.js";
import { adaptiveNumbers, type AdaptiveNumbers } from "../../src/adaptive/experience.js";
import { createClient, type Client, type ClientOptions, type Transport, type TransportRequirements } from "../../src/index.js";
import { contract } from "./contract.js";
import { FakeEnvironment } from "./fake-environment.js";
import { FakeTransport, type FakeLink } from "./fake-server.js";

export const names = ["websocket", "sse", "long-poll", "poll"] as const;
export type Name = (typeof names)[number];

export interface AdaptiveStageOptions extends Partial<AdaptiveNumbers> {
  readonly environment?: FakeEnvironment;
  /** What pages of this origin remember. */
  readonly memory?: Map<string, string>;
  readonly requirements?: TransportRequirements;
  /** Replaces what loads a transport. */
  readonly load?: (name: Name, transport: Transport) => Transport | Promise<Transport>;
  readonly client?: Partial<ClientOptions<typeof contract>>;
}

/** A client that chooses among four transports, whose other ends are the test. */
export class AdaptiveStage {
  readonly environment: FakeEnvironment;
  readonly memory: Map<string, string>;
  readonly paths: Readonly<Record<Name, FakeTransport>> = { websocket: new FakeTransport(), sse: new FakeTransport(), "long-poll": new FakeTransport(), poll: new FakeTransport() };
  readonly transport: AdaptiveTransport;
  readonly client: Client<typeof contract>;
  readonly statuses: string[] = [];
  attention: AttentionLevel = "unknown";
  readonly #networks = new Set<() => void>();

  constructor({ environment = new FakeEnvironment(), memory = new Map(), requirements, load = (_name, transport) => transport, client, ...numbers }: AdaptiveStageOptions = {}) {
    this.environment = environment;
    this.memory = memory;
    this.transport = makeAdaptiveTransport({
      sources: names.map((name) => ({ name, load: () => load(name, this.paths[name]) })),
      environment,
      attention: { level: () => this.attention, watch: () => () => {} },
      network: {
        watch: (changed) => {
          this.#networks.add(changed);
          return () => void this.#networks.delete(changed);
        },
      },
      memory: { recall: (key) => memory.get(key) ?? "", remember: (key, value) => void memory.set(key, value) },
      numbers: { ...adaptiveNumbers, ...numbers },
      requirements,
    });
    this.client = createClient({ url: "ws://server", contract, environment, transport: this.transport, lifecycle: { watch: () => () => {} }, ...client });
    this.client.on("status", ({ status, reason }) => this.statuses.push(reason === undefined ? status : `${status} ${reason.code}`));
  }

  /** How many links were opened over each transport, in the order of the list. */
  get counts(): readonly number[] {
    return names.map((name) => this.paths[name].links.length);
  }

  /** How many have not ended. */
  get live(): readonly number[] {
    return names.map((name) => this.paths[name].links.filter(({ status }) => status !== "closed").length);
  }

  get status(): string {
    return this.client.connection.getSnapshot().status;
  }

  get watchedNetworks(): number {
    return this.#networks.size;
  }

  /** The last link over this transport. */
  link(name: Name): FakeLink {
    return this.paths[name].link;
  }

  /** The last link over it opens, and the server welcomes. */
  welcome(name: Name): FakeLink {
    const link = this.link(name);
    link.open();
    link.welcome();
    return link;
  }

  /** Connects over the first one after what stands before it was refused. */
  connectOver(name: Name): this {
    this.client.connect();
    for (const before of names.slice(0, names.indexOf(name))) this.link(before).cut();
    this.welcome(name);
    return this;
  }

  /** Time passes, and the server answers every ping over this transport. */
  beat(name: Name, ms: number): void {
    const endAt = this.environment.elapsed() + ms;
    let answered = this.link(name).of("ping").length;
    while (this.environment.elapsed() < endAt) {
      this.environment.pass(Math.min(1_000, endAt - this.environment.elapsed()));
      const asked = this.link(name).of("ping").length;
      if (asked > answered) this.link(name).say({ op: "pong" });
      answered = asked;
    }
  }

  changeNetwork(): void {
    for (const changed of this.#networks) changed();
  }
}
