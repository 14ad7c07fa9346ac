import { setTimeout as pause } from "node:timers/promises";
import { RandomStream } from "@tutti/testkit";
import type { Fleet, Node } from "../nodes/fleet.js";
import { drawFault, type Fault, type FaultKind } from "./fault.js";

const waitMs = 100;

/** Lets faults happen to a fleet, and makes good again what they did. */
export class Striker {
  /** How many faults happened. */
  count = 0;
  readonly #fleet: Fleet;
  readonly #chance: RandomStream;
  /** What something happens to now: nothing else does meanwhile. */
  readonly #taken = new Set<object>();

  constructor(fleet: Fleet, seed: number) {
    this.#fleet = fleet;
    this.#chance = new RandomStream(seed, "moments");
  }

  /** Faults of one kind, one after the other, until `isOver`. Resolves when all is good again. */
  async keepStriking(kind: FaultKind, isOver: () => boolean): Promise<void> {
    const chance = new RandomStream(this.#chance.bits(), kind);
    while (!isOver()) {
      await pause(chance.between(1_000, 8_000));
      if (isOver()) return;
      await this.#strike(drawFault(kind, chance), chance);
      this.count += 1;
    }
  }

  async #strike(fault: Fault, chance: RandomStream): Promise<void> {
    const { redis, nodes } = this.#fleet;
    switch (fault.kind) {
      case "node killed":
        return this.#withNode(chance, async (node) => {
          await node.program.kill();
          await pause(fault.downMs);
          await this.#fleet.revive(node);
        });
      case "node stopped":
        return this.#withNode(chance, async ({ program }) => {
          program.signal("SIGSTOP");
          await pause(fault.ms);
          program.signal("SIGCONT");
        });
      case "nodes replaced":
        for (const node of nodes) await this.#with(node, () => this.#fleet.replace(node));
        return;
      case "Redis restarted":
      case "Redis emptied":
        return this.#with(redis, async () => {
          await redis.stop("SIGKILL");
          await pause(fault.downMs);
          await redis.start(fault.kind === "Redis emptied" ? "lost" : "kept");
        });
      case "Redis rolled back":
        return this.#with(redis, async () => {
          const data = await redis.copyData();
          await pause(fault.lostMs);
          await redis.restart({ signal: "SIGKILL", data });
        });
      case "Redis stopped":
        return this.#with(redis, async () => {
          redis.freeze();
          await pause(fault.ms);
          redis.thaw();
        });
      case "link silent":
        return this.#withNode(chance, async ({ link }) => {
          link.halfOpen();
          await pause(fault.ms);
          link.resume();
        });
      case "link refused":
        return this.#withNode(chance, async ({ link }) => {
          link.refuse();
          link.reset();
          await pause(fault.ms);
          link.resume();
        });
      case "link slow":
        return this.#withNode(chance, async ({ link }) => {
          link.shape({ latencyMs: fault.latencyMs, bytesPerSecond: fault.bytesPerSecond });
          await pause(fault.ms);
          link.shape({ latencyMs: 0, bytesPerSecond: Number.POSITIVE_INFINITY });
        });
    }
  }

  #withNode(chance: RandomStream, body: (node: Node) => Promise<void>): Promise<void> {
    const node = chance.pick(this.#fleet.nodes);
    return this.#with(node, () => body(node));
  }

  async #with(what: object, body: () => Promise<void>): Promise<void> {
    while (this.#taken.has(what)) await pause(waitMs);
    this.#taken.add(what);
    try {
      await body();
    } finally {
      this.#taken.delete(what);
    }
  }
}
