import type { Cancel, Environment } from "@tutti/protocol";
import type { Log } from "../log.js";
import type { Bounds, ServerGuards } from "../options.js";
import type { PresenceDigest } from "../presence/presence-messages.js";
import type { BusMessage, BusMessageOf, Sender } from "./bus-messages.js";
import type { Bus, BusListener } from "./bus.js";

/** A node that is known to live. */
export interface NodeInfo {
  /** New with each start of the process. */
  readonly id: string;
  /** Rises each time that the node comes back after it was taken for dead. */
  readonly incarnation: number;
  /** Since when it is there, Unix ms by its own clock. */
  readonly since: number;
  /** Whether it is this one. */
  readonly self: boolean;
}

/** `returned`: it lives again, or in a new life that began before the last one was seen to end. */
export type NodeChange =
  | { readonly type: "joined" | "returned"; readonly node: NodeInfo }
  | { readonly type: "gone"; readonly node: NodeInfo; readonly why: "goodbye" | "silent" };

/** Of how many nodes that are gone it is known that they are; those that went first are forgotten first. */
const GONE_MAX = 1_000;

interface Peer {
  info: NodeInfo;
  /** How many of this node's own heartbeats came since one of the peer's. */
  silentBeats: number;
}

type Phase =
  | { readonly name: "deaf" }
  | { readonly name: "tuning" }
  | { readonly name: "hearing"; readonly ends: readonly (() => Promise<void>)[] }
  | { readonly name: "stopped" };

interface NodesParts {
  readonly bus: Bus;
  readonly environment: Environment;
  readonly bounds: Pick<Bounds, "nodeHeartbeatMs" | "nodeSilenceMsMax" | "nodesMax" | "presenceCompleteMs">;
  readonly log: Log;
  /** Whether there may be other nodes at all. */
  readonly isShared: boolean;
  readonly guards?: Pick<ServerGuards, "incarnation" | "nodeDeath">;
}

/** Which nodes live: each tells the others so, and is believed for as long as it goes on. */
export class Nodes {
  readonly #bus: Bus;
  readonly #environment: Environment;
  readonly #bounds: NodesParts["bounds"];
  readonly #log: Log;
  readonly #isShared: boolean;
  readonly #guards: NonNullable<NodesParts["guards"]>;
  readonly #since: number;
  readonly #peers = new Map<string, Peer>();
  /** The last life of nodes that are gone. */
  readonly #gone = new Map<string, number>();
  readonly #watchers = new Set<(change: NodeChange) => void>();
  readonly #listeners = new Set<BusListener>();
  #phase: Phase = { name: "deaf" };
  #cancelBeat: Cancel | undefined;
  #isBeatDue = false;
  #isFull = false;
  /** What each heartbeat brings along; called once for each. */
  #load: () => PresenceDigest | undefined = () => undefined;
  /** When the last heartbeat that the broker took was sent, on the monotonic clock, and of which life it was. */
  #toldAt = 0;
  #toldIncarnation = 0;
  /** When the first one was. */
  #firstToldAt: number | undefined;

  constructor({ bus, environment, bounds, log, isShared, guards = {} }: NodesParts) {
    this.#bus = bus;
    this.#environment = environment;
    this.#bounds = bounds;
    this.#log = log;
    this.#isShared = isShared;
    this.#guards = guards;
    this.#since = environment.now();
  }

  /** This node, and the others that are known to live. */
  all(): readonly NodeInfo[] {
    return [{ id: this.#bus.node, incarnation: this.#bus.incarnation, since: this.#since, self: true }, ...this.others()];
  }

  others(): readonly NodeInfo[] {
    return Array.from(this.#peers.values(), ({ info }) => info);
  }

  has(node: string): boolean {
    return this.#peers.has(node);
  }

  /** How many are known to live, this one included. */
  get size(): number {
    return this.#peers.size + 1;
  }

  /** Whether who told something lives, in the life that it was told in. */
  isCurrent({ node, incarnation }: Sender): boolean {
    return this.#peers.get(node)?.info.incarnation === incarnation;
  }

  /** Whether this node has been there for long enough to have heard of the others. */
  get isSettled(): boolean {
    if (!this.#isShared) return true;
    return this.#firstToldAt !== undefined && this.#environment.elapsed() - this.#firstToldAt >= this.#bounds.presenceCompleteMs;
  }

  /** Hears who comes and goes, from now on. */
  watch(watcher: (change: NodeChange) => void): () => void {
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  }

  /** Hears what is told to all nodes or to this one, after this has looked at it; whether the broker listens at the moment is this one's affair. */
  hear(listener: BusListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** `load` is called for each heartbeat, once in `nodeHeartbeatMs`, and what it returns goes with it. */
  carry(load: () => PresenceDigest | undefined): void {
    this.#load = load;
  }

  /** From now on this node hears the others, and is one of them as soon as it does. */
  start(): void {
    this.#cancelBeat = this.#environment.after(this.#bounds.nodeHeartbeatMs, () => {
      if (this.#phase.name === "stopped") return;
      this.start();
      this.#sweep();
      if (this.#phase.name === "hearing") this.#beat();
    });
    if (this.#phase.name === "deaf") void this.#listen();
  }

  /** Says goodbye. Resolves when the broker has taken it, or failed at it; never rejects. */
  async stop(): Promise<void> {
    const phase = this.#phase;
    this.#phase = { name: "stopped" };
    this.#cancelBeat?.();
    if (phase.name !== "hearing") return;
    await this.#bus.told("nodes", { kind: "node:goodbye" });
    await this.#end(phase.ends);
  }

  async #listen(): Promise<void> {
    this.#phase = { name: "tuning" };
    const heard: BusListener = (message, sender) => this.#heard(message, sender);
    const ends: (() => Promise<void>)[] = [];
    try {
      for (const topic of ["nodes", `node:${this.#bus.node}`] as const) ends.push(await this.#bus.hear(topic, heard));
    } catch (error) {
      this.#log.warn("other nodes cannot be heard", { error });
      await this.#end(ends);
      if (this.#phase.name === "tuning") this.#phase = { name: "deaf" };
      return;
    }
    // It may have been stopped meanwhile.
    if (this.#phase.name !== "tuning") return this.#end(ends);
    this.#phase = { name: "hearing", ends };
    this.#beat();
  }

  async #end(ends: readonly (() => Promise<void>)[]): Promise<void> {
    const ended = await Promise.allSettled(ends.map((end) => end()));
    for (const each of ended) if (each.status === "rejected") this.#log.warn("no longer hearing other nodes failed", { error: each.reason });
  }

  #beat(): void {
    const { nodeSilenceMsMax } = this.#bounds;
    const now = this.#environment.elapsed();
    // For so long nobody heard of it: by now all others take it for dead, or are about to.
    if (this.#toldIncarnation === this.#bus.incarnation && now - this.#toldAt >= nodeSilenceMsMax) this.#liveAnew();
    const { incarnation } = this.#bus;
    const presence = this.#load();
    void this.#bus.told("nodes", { kind: "node:heartbeat", since: this.#since, ...(presence !== undefined && { presence }) }).then((isTold) => {
      if (isTold) this.#noteTold(now, incarnation);
    });
  }

  #noteTold(at: number, incarnation: number): void {
    this.#firstToldAt ??= at;
    this.#toldAt = Math.max(this.#toldAt, at);
    this.#toldIncarnation = Math.max(this.#toldIncarnation, incarnation);
  }

  /** Sends a heartbeat at the end of this turn, however many ask for it. */
  #beatSoon(): void {
    if (this.#isBeatDue) return;
    this.#isBeatDue = true;
    this.#environment.defer(() => {
      this.#isBeatDue = false;
      if (this.#phase.name === "hearing") this.#beat();
    });
  }

  #sweep(): void {
    if (this.#guards.nodeDeath === false) return;
    const { nodeHeartbeatMs, nodeSilenceMsMax } = this.#bounds;
    // Silence is counted in heartbeats: a loop that stands still hears nothing, and has none of its own either.
    const silentBeatsMax = Math.ceil(nodeSilenceMsMax / nodeHeartbeatMs);
    for (const [id, peer] of this.#peers) if (++peer.silentBeats > silentBeatsMax) this.#bury(id, peer.info.incarnation, "silent");
  }

  #heard(message: BusMessage, sender: Sender): void {
    switch (message.kind) {
      case "node:heartbeat":
        this.#hearHeartbeat(message, sender);
        break;
      case "node:goodbye":
        // Whatever still comes of it comes late: it has no other life.
        this.#bury(sender.node, Number.POSITIVE_INFINITY, "goodbye");
        break;
      case "node:dead":
        this.#hearOwnDeath(message.incarnation);
        break;
      default:
    }
    this.#bus.hand(this.#listeners, { message, sender });
  }

  #hearHeartbeat({ since }: BusMessageOf<"node:heartbeat">, { node, incarnation }: Sender): void {
    const over = this.#gone.get(node);
    if (over !== undefined && incarnation <= over) {
      if (over !== Number.POSITIVE_INFINITY) this.#bus.tell(`node:${node}`, { kind: "node:dead", incarnation });
      return;
    }
    const peer = this.#peers.get(node);
    if (peer === undefined) return this.#welcome({ id: node, incarnation, since, self: false });
    // What is told late of an earlier life says nothing of this one.
    if (incarnation < peer.info.incarnation) return;
    peer.silentBeats = 0;
    if (incarnation === peer.info.incarnation) return;
    peer.info = { id: node, incarnation, since, self: false };
    this.#announce({ type: "returned", node: peer.info });
  }

  #welcome(info: NodeInfo): void {
    if (this.#peers.size >= this.#bounds.nodesMax) {
      if (!this.#isFull) this.#log.error("there are more nodes than nodesMax: some are not heard", { nodesMax: this.#bounds.nodesMax });
      this.#isFull = true;
      return;
    }
    const type = this.#gone.delete(info.id) ? "returned" : "joined";
    this.#peers.set(info.id, { info, silentBeats: 0 });
    this.#bus.isAlone = false;
    this.#announce({ type, node: info });
    this.#beatSoon();
  }

  #hearOwnDeath(incarnation: number): void {
    // Only the present life: of an earlier one it is known.
    if (incarnation !== this.#bus.incarnation) return;
    this.#liveAnew();
    // Told in the same life, it would be answered with the same, and so on.
    if (incarnation !== this.#bus.incarnation) this.#beatSoon();
  }

  #liveAnew(): void {
    if (this.#guards.incarnation !== false) this.#bus.incarnation++;
  }

  /** It is gone, up to and including this life. */
  #bury(id: string, incarnation: number, why: "goodbye" | "silent"): void {
    this.#gone.delete(id);
    this.#gone.set(id, incarnation);
    for (const oldest of this.#gone.keys()) {
      if (this.#gone.size <= GONE_MAX) break;
      this.#gone.delete(oldest);
    }
    const peer = this.#peers.get(id);
    if (peer === undefined) return;
    this.#peers.delete(id);
    this.#isFull = false;
    this.#bus.isAlone = this.#peers.size === 0;
    this.#announce({ type: "gone", node: peer.info, why });
  }

  #announce(change: NodeChange): void {
    const { type, node } = change;
    this.#log.info(`a node ${type === "gone" ? "is gone" : type}`, { node: node.id, incarnation: node.incarnation, ...(type === "gone" && { why: change.why }) });
    for (const watcher of this.#watchers) watcher(change);
  }
}
