import { TuttiError, type Cancel, type Environment } from "@tutti/protocol";
import type { Log } from "@tutti/server";
import { Line } from "./line.js";
import type { Connect, DeliveryLink, RequestLink } from "./link.js";
import { Topics } from "./topics.js";

/** How often it is looked whether topics are still where they are listened to: in a cluster slots move. */
const FOLLOW_MS = 500;

interface DeliveryParts {
  readonly environment: Environment;
  readonly log: Log;
  readonly connectTimeoutMs: number;
  readonly timeoutMs: number;
  /** Knows who has what. */
  readonly requestLine: Line<RequestLink>;
  readonly connect: (address: string) => Connect<DeliveryLink>;
  /** Asks the server for a topic, and so learns where it is now. */
  readonly locate: (topic: string) => Promise<unknown>;
  /** A connection stands again. Something that should have been delivered may be missing. */
  readonly resumed: () => void;
  /** A topic is heard from another server now. Something may be missing as well. */
  readonly followed: () => void;
}

/** A server, and what is listened to there. */
interface Branch {
  readonly line: Line<DeliveryLink>;
  readonly topics: Topics;
}

/** Somebody who listens, and where. */
interface Listening {
  readonly name: string;
  readonly listener: (message: string) => void;
  address: string;
  leave: () => Promise<void>;
  isMoving: boolean;
}

/**
 * Hears topics from the servers that have them, and follows them to others: each server has a connection of its own, so that one that is lost is mended while
 * the others go on.
 */
export class Deliveries {
  readonly #parts: DeliveryParts;
  readonly #branches = new Map<string, Branch>();
  readonly #listening = new Set<Listening>();
  #cancel: Cancel = () => {};

  constructor(parts: DeliveryParts) {
    this.#parts = parts;
  }

  /** Connects to all masters. Rejects where one cannot be connected. */
  async open(): Promise<void> {
    const masters = [...this.#parts.requestLine.link.masters().keys()];
    await Promise.all(masters.map((address) => this.#add(address).line.open()));
    this.#follow();
  }

  /** Why not all is heard. */
  get trouble(): string | undefined {
    for (const { line } of this.#branches.values()) if (line.trouble !== undefined) return line.trouble;
    return undefined;
  }

  /**
   * Hears what is published to a topic from the moment on at which it resolves; until what it resolves to is called.
   *
   * @throws TuttiError `UNAVAILABLE`
   */
  async listen(name: string, listener: (message: string) => void): Promise<() => Promise<void>> {
    const address = this.#parts.requestLine.link.masterOf(name);
    if (address === undefined) throw new TuttiError("UNAVAILABLE", { message: "no server of the Redis cluster has this topic" });
    const leave = await this.#branch(address).topics.listen(name, listener);
    const listening: Listening = { name, listener, address, leave, isMoving: false };
    this.#listening.add(listening);
    return () => {
      this.#listening.delete(listening);
      return listening.leave();
    };
  }

  /** Whether a topic is heard, as far as it can be told, from the server that has it. */
  hears(name: string): boolean {
    const branch = this.#branches.get(this.#parts.requestLine.link.masterOf(name) ?? "");
    return branch !== undefined && branch.line.trouble === undefined && branch.topics.has(name);
  }

  /** Makes the connection anew by which a topic is heard. */
  renew(name: string, reason: string): void {
    const address = this.#parts.requestLine.link.masterOf(name) ?? "";
    this.#branches.get(address)?.line.renew(reason);
  }

  /** Makes all connections anew. */
  renewAll(reason: string): void {
    for (const { line } of this.#branches.values()) line.renew(reason);
  }

  close(): void {
    this.#cancel();
    for (const { line } of this.#branches.values()) line.close();
    this.#branches.clear();
    this.#listening.clear();
  }

  #branch(address: string): Branch {
    const known = this.#branches.get(address);
    if (known !== undefined) return known;
    const branch = this.#add(address);
    branch.line.keep();
    return branch;
  }

  #add(address: string): Branch {
    const { environment, log, connectTimeoutMs, timeoutMs, connect, resumed } = this.#parts;
    const line: Line<DeliveryLink> = new Line({
      environment,
      log,
      name: `deliveries of ${address}`,
      connect: connect(address),
      connectTimeoutMs,
      prepareTimeoutMs: timeoutMs,
      prepare: (link) => topics.resubscribe(link),
      resumed,
      moved: (topic) => void this.#moved(address, topic),
    });
    const topics = new Topics(environment, line, timeoutMs);
    this.#branches.set(address, { line, topics });
    return { line, topics };
  }

  async #moved(address: string, topic: string): Promise<void> {
    const { locate, requestLine, log } = this.#parts;
    try {
      await locate(topic);
      // It is there all the same, and we are not subscribed any more.
      if (requestLine.link.masterOf(topic) === address) this.#branches.get(address)?.line.renew("a topic was taken away that is still there");
    } catch (error) {
      log.warn("it is not known where a topic of the Redis cluster is now", { topic, error: String(error) });
    }
  }

  #follow(): void {
    const { environment, requestLine } = this.#parts;
    if (requestLine.trouble === undefined) this.#followTo(requestLine.link);
    this.#cancel = environment.after(FOLLOW_MS, () => this.#follow());
  }

  #followTo(link: RequestLink): void {
    const occupied = new Set<string>();
    for (const listening of this.#listening) {
      const address = link.masterOf(listening.name);
      occupied.add(listening.address);
      if (address !== undefined && address !== listening.address && !listening.isMoving) void this.#move(listening, address);
    }
    const masters = link.masters();
    // Connected before somebody needs it.
    for (const address of masters.keys()) this.#branch(address);
    for (const [address, { line, topics }] of this.#branches) {
      if (masters.has(address) || occupied.has(address) || !topics.isEmpty) continue;
      line.close();
      this.#branches.delete(address);
    }
  }

  /** First there, then not here any more: what is delivered twice is told from what is new by its place. */
  async #move(listening: Listening, address: string): Promise<void> {
    const { name, listener, leave } = listening;
    listening.isMoving = true;
    try {
      const leaveThere = await this.#branch(address).topics.listen(name, listener);
      listening.address = address;
      listening.leave = leaveThere;
      await leave();
      if (!this.#listening.has(listening)) await leaveThere();
      else this.#parts.followed();
    } catch {
      // It is tried again; meanwhile the broker is not ready, since one of the servers cannot be reached.
    } finally {
      listening.isMoving = false;
    }
  }
}
