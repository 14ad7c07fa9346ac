import type { SubscriptionStart } from "@tutti/protocol";
import { createClient, type Client, type ClientOptions, type LifecycleEvents } from "../../src/index.js";
import { contract } from "./contract.js";
import { FakeEnvironment, turns } from "./fake-environment.js";
import { at, FakeTransport, type FakeLink } from "./fake-server.js";

export type TestContract = typeof contract;

/** A client with a clock, a network and a page that the test directs. */
export class Stage {
  readonly environment = new FakeEnvironment();
  readonly transport = new FakeTransport();
  readonly client: Client<TestContract>;
  readonly errors: string[] = [];
  readonly statuses: string[] = [];
  page: LifecycleEvents | undefined;

  constructor(options: Partial<ClientOptions<TestContract>> = {}) {
    this.client = createClient({
      url: "ws://server",
      contract,
      environment: this.environment,
      transport: this.transport,
      lifecycle: {
        watch: (events) => {
          this.page = events;
          return () => {
            this.page = undefined;
          };
        },
      },
      ...options,
    });
    this.client.on("error", (error) => this.errors.push(error.code));
    this.client.on("status", ({ status, reason }) => this.statuses.push(reason === undefined ? status : `${status} ${reason.code}`));
  }

  get link(): FakeLink {
    return this.transport.link;
  }

  get status(): string {
    return this.client.connection.getSnapshot().status;
  }

  get board() {
    return this.client.channel("board:{id}", { id: "1" });
  }

  /** Lets the storage answer. */
  async stored(): Promise<this> {
    await turns(30);
    return this;
  }

  /** Starts, and is welcomed. */
  connect(): this {
    this.client.connect();
    return this.welcome();
  }

  /** Lets the link that is opening be opened and welcomed. */
  welcome(): this {
    this.link.open();
    this.link.welcome();
    return this;
  }

  /** A connected client with a board that is live. */
  live(start: SubscriptionStart = { position: at(0) }, options: Parameters<Stage["board"]["subscribe"]>[0] = {}): this {
    const board = this.board;
    void board.subscribe(options);
    if (this.status !== "connected") this.welcome();
    this.link.answer(this.link.last("subscribe"), start);
    return this;
  }

  /** The link breaks, and the next one is welcomed. */
  reconnect(): this {
    this.link.cut();
    this.client.connect();
    return this.welcome();
  }
}

/** How a promise ended: what it resolved with, the code that it was rejected with, or that it still waits. */
export async function outcome(promise: Promise<unknown>): Promise<unknown> {
  let ended: unknown = "waits";
  promise.then(
    (value) => (ended = value),
    (error: { code?: unknown; name?: string }) => (ended = typeof error.code === "string" ? error.code : error.name),
  );
  await turns(30);
  return ended;
}
