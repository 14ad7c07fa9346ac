import type { Position } from "@tutti/protocol";
import { RandomStream, type Participant, type Reach } from "@tutti/testkit";
import type { Item } from "./contract.js";
import { ServerNode, type NodeParts } from "./server-node.js";

/** Where pages connect to, whichever node takes them. */
export const ADDRESS = "server.test";
/** Where nobody listens. */
const NOWHERE = "nowhere.test";
/** How long a load balancer takes at most to notice that a node takes no connections. */
const NOTICE_MS_MAX = 4_000;

export interface ClusterParts extends NodeParts {
  /** How many nodes there are while none is missing. */
  readonly size: number;
  /** A new process for each start. */
  readonly newProcess: (name: string) => Participant;
}

/**
 * The nodes behind one address, each in a place of its own: starts them, kills them, starts others in their places. Before several of them stands a
 * load balancer that gives each connection to any; one that takes none it leaves out once it has noticed.
 */
export class Cluster {
  readonly #parts: ClusterParts;
  /** The latest node of each place. */
  readonly #nodes: ServerNode[] = [];
  readonly #noticeMs: number;
  /** Whom the application's own job asks. */
  readonly #asked: RandomStream;
  #startCount = 0;

  constructor(parts: ClusterParts) {
    this.#parts = parts;
    this.#noticeMs = new RandomStream(parts.seed, "how soon a balancer notices").between(0, NOTICE_MS_MAX);
    this.#asked = new RandomStream(parts.seed, "whom the application asks");
    for (let place = 0; place < parts.size; place++) this.#nodes.push(this.#begin());
  }

  get size(): number {
    return this.#nodes.length;
  }

  /** The latest node of each place, dead ones included. */
  get nodes(): readonly ServerNode[] {
    return this.#nodes;
  }

  get permits(): ClusterParts["permits"] {
    return this.#parts.permits;
  }

  /** The latest wall clock among the nodes', Unix ms: what is valid by it is valid at all of them. */
  now(): number {
    return Math.max(...this.#nodes.map(({ process }) => process.now()));
  }

  /** The place of any node. */
  anyPlace(random: RandomStream): number {
    return this.size === 1 ? 0 : random.below(this.size);
  }

  at(place: number): ServerNode {
    const node = this.#nodes[place];
    if (node === undefined) throw new RangeError(`there is no place ${place}`);
    return node;
  }

  /** Starts a node in a place where none runs that takes connections. */
  start(place: number): void {
    const { state } = this.at(place);
    if (state === "draining") this.kill(place, "kept");
    if (state !== "running") this.#nodes[place] = this.#begin();
  }

  startAll(): void {
    for (const place of this.#nodes.keys()) this.start(place);
  }

  kill(place: number, machine: "kept" | "gone"): void {
    this.at(place).kill(machine);
    if (this.#alive().length === 0) this.permits.enforceAll();
  }

  /** The node that was drained in a place ends as it should, and the next one begins beside it. */
  replace(place: number): void {
    const node = this.at(place);
    if (node.state !== "draining") return this.start(place);
    void node.close();
    this.#nodes[place] = this.#begin();
  }

  /** Withdraws the permission of a user, and has the subscriptions that there are ended by one of the nodes, at all of them. */
  ban(user: string, channel: string): void {
    const denial = this.permits.deny(user, channel);
    const node = this.#anyAlive();
    node?.process.defer(() => {
      if (!this.permits.may(user, channel)) void this.#revoke(node, user, channel, denial);
    });
    if (node === undefined) this.permits.enforce(user, channel, denial);
  }

  /** Where a node is called it is done at once. Of all others it is promised when it has answered, whomever that node knows, and takes for dead (CMD-8). */
  async #revoke(node: ServerNode, user: string, channel: string, denial: number): Promise<void> {
    const isOnly = this.#alive().every((other) => other === node);
    const revoked = node.revoke(user, channel);
    if (!isOnly && !(await revoked.then(() => true, () => false))) return;
    this.permits.enforce(user, channel, denial);
  }

  /** Sends a user away, from one channel or from all; one of the nodes is told so. */
  kick(user: string, channel: string | undefined): void {
    const node = this.#anyAlive();
    if (node !== undefined) this.#ask(node, () => node.kick(user, channel));
  }

  /** Publishes from the application's own code, at one of the nodes. Never answered where it dies. */
  publish(channel: string, item: Item, key: string): Promise<{ readonly position: Position; readonly eventId: string }> {
    const node = this.at(this.anyPlace(this.#asked));
    return new Promise((resolve, reject) => this.#ask(node, () => void node.publish(channel, item, key).then(resolve, reject)));
  }

  /** The host that takes a connection, by what the load balancer knows. */
  route(connection: string): string {
    if (this.size === 1) return ADDRESS;
    const since = this.#parts.nowMs() - this.#noticeMs;
    const listed = this.#nodes.filter(({ troubledSinceMs }) => troubledSinceMs > since);
    return listed.length === 0 ? NOWHERE : new RandomStream(this.#parts.seed, `route of ${connection}`).pick(listed).host;
  }

  /** Whether a connection to a host is answered: a machine that is gone says nothing, until the load balancer has noticed. */
  reach(host: string): Reach {
    return this.size > 1 && this.#nodes.some((node) => node.host === host && node.state === "gone") ? "silent" : "accepted";
  }

  #alive(): readonly ServerNode[] {
    return this.#nodes.filter(({ isAlive }) => isAlive);
  }

  #anyAlive(): ServerNode | undefined {
    const alive = this.#alive();
    return alive.length > 1 ? this.#asked.pick(alive) : alive[0];
  }

  /** Runs the application's code where a node is: in the process of the only one, and else when that node gets to it. */
  #ask(node: ServerNode, task: () => void): void {
    if (this.size === 1) task();
    else node.process.defer(task);
  }

  #begin(): ServerNode {
    const process = this.#parts.newProcess(`server${++this.#startCount}`);
    return new ServerNode(this.#parts, process, this.#parts.size === 1 ? ADDRESS : `${process.name}.test`);
  }
}
