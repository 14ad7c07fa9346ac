import type { Cancel } from "@tutti/protocol";
import type { Head } from "../broker/broker.js";
import type { Services } from "../services.js";
import type { CommandLog } from "./command-log.js";
import type { Command } from "./command.js";
import type { EnteredNodes } from "./entered-nodes.js";

/** How many looks may be under way: that one was not answered is no reason not to look again. */
const LOOKS_MAX = 4;
/** How many looks a lease lasts at least. */
const LOOKS_A_LEASE = 4;
/** After so many times `nodeSilenceMsMax` in which nothing was heard of its node an entry is struck out. */
const SILENCES_MAX = 12;

/** A head that was seen, and not taken yet. */
interface Awaited {
  readonly head: Head;
  readonly taken: () => void;
}

/**
 * Keeps the lease of this node: enters the log of commands, and looks at its head all the time. Sees, too, who else may deliver, so that no command is
 * taken for done before the leases of those are over who do not answer.
 */
export class LeaseKeeper {
  readonly #services: Services;
  readonly #log: CommandLog;
  readonly #entered: EnteredNodes;
  readonly #lookMs: number;
  #phase: "idle" | "entering" | "closed" = "idle";
  /** Under which this node enters, or has entered. */
  #entry = "";
  /** Whether the log had it: then it is used up. */
  #hasStood = false;
  #lookCount = 0;
  readonly #awaited = new Set<Awaited>();
  #hasLoaded = false;
  #struckCount = 0;
  #doubtUntil = Number.NEGATIVE_INFINITY;
  /** In how many looks nothing was heard of the nodes of these entries. */
  #silent = new Map<string, number>();
  #wasGood = false;
  #cancelTick: Cancel = () => {};

  constructor(services: Services, log: CommandLog, entered: EnteredNodes) {
    const { lease, bounds } = services;
    this.#services = services;
    this.#log = log;
    this.#entered = entered;
    this.#lookMs = Math.min(bounds.nodeHeartbeatMs, lease.durationMs / LOOKS_A_LEASE);
    if (lease.isShared) this.#schedule();
  }

  /** Until when somebody may deliver whom the log does not name any more, on the monotonic clock. */
  get doubtUntil(): number {
    return this.#doubtUntil;
  }

  /** The nodes that may deliver, this one left out, and are not known to live. */
  unheard(): Set<string> {
    const { nodes, node } = this.#services;
    const unheard = new Set<string>();
    for (const [, owner] of this.#entered.all()) if (owner !== node && !nodes.has(owner)) unheard.add(owner);
    return unheard;
  }

  /** The log says what stands, from its beginning or anew. */
  loaded(): void {
    if (!this.#services.lease.isShared) return;
    // Who was struck out before this was read may deliver still; and so may those whom only a log knew that was lost.
    if (this.#hasLoaded || this.#entered.struckCount > 0) this.#doubt();
    this.#hasLoaded = true;
    this.#struckCount = this.#entered.struckCount;
    this.#compare();
    void this.#look();
  }

  /** A command was taken. */
  taken(): void {
    if (!this.#services.lease.isShared) return;
    for (const { head, taken } of this.#awaited) if (this.#log.hasTakenAll(head)) taken();
    if (this.#entered.struckCount !== this.#struckCount) this.#doubt();
    this.#struckCount = this.#entered.struckCount;
    this.#compare();
  }

  /** Leaves: this node delivers nothing any more. Never rejects; where the log cannot be written the others strike it out. */
  async close(): Promise<void> {
    this.#cancelTick();
    this.#phase = "closed";
    if (this.#entry !== "") await this.#append({ type: "leave", entry: this.#entry });
  }

  #schedule(): void {
    this.#cancelTick = this.#services.environment.after(this.#lookMs, () => {
      this.#schedule();
      this.#tellOfHold();
      void this.#look();
      if (this.#log.loading !== undefined) return;
      this.#compare();
      this.#strikeSilent();
    });
  }

  /** Reads the log up to its head. The lease counts from the moment at which the head was asked for. */
  async #look(): Promise<void> {
    if (this.#lookCount >= LOOKS_MAX) return;
    const { environment, lease } = this.#services;
    const lookedAt = environment.elapsed();
    this.#lookCount++;
    try {
      const head = await this.#log.head();
      if (!this.#log.hasTakenAll(head)) await this.#reach(head);
      if (this.#log.hasTakenAll(head)) lease.renew(lookedAt);
    } catch {
      // The next look comes, and the lease tells where none succeeds.
    }
    this.#lookCount--;
  }

  /** Resolves when a head was taken, or the log was read: while commands come all the time there may be no end of that. Rejects where it cannot be read. */
  async #reach(head: Head): Promise<void> {
    let taken = (): void => {};
    const awaited: Awaited = { head, taken: () => taken() };
    this.#awaited.add(awaited);
    try {
      await Promise.race([this.#log.refresh(), new Promise<void>((resolve) => (taken = resolve))]);
    } finally {
      this.#awaited.delete(awaited);
    }
  }

  /** Looks whether the log has this node's entry, and enters where it has not. */
  #compare(): void {
    const isEntered = this.#entered.has(this.#entry);
    this.#hasStood ||= isEntered;
    this.#services.lease.setEntered(isEntered);
    if (!isEntered) void this.#enter();
  }

  async #enter(): Promise<void> {
    if (this.#phase !== "idle") return;
    const { environment, node } = this.#services;
    // One that was struck out may be read again, late. One whose append failed may have landed all the same.
    if (this.#hasStood || this.#entry === "") this.#entry = environment.id();
    this.#hasStood = false;
    this.#phase = "entering";
    const isWritten = await this.#append({ type: "enter", entry: this.#entry, node });
    if (this.#isClosed) return;
    this.#phase = "idle";
    if (isWritten) await this.#look();
  }

  /** The phase changes during awaits, which the compiler does not see in a comparison. */
  get #isClosed(): boolean {
    return this.#phase === "closed";
  }

  /** One node is enough: the first by name of those that live. Repeated until it is read. */
  #strikeSilent(): void {
    const { nodes, node, bounds } = this.#services;
    const silent = new Map<string, number>();
    const isFirst = nodes.others().every(({ id }) => node < id);
    for (const [entry, owner] of isFirst ? this.#entered.all() : []) {
      if (owner === node || nodes.has(owner)) continue;
      const looks = (this.#silent.get(entry) ?? 0) + 1;
      silent.set(entry, looks);
      if (looks * this.#lookMs > SILENCES_MAX * bounds.nodeSilenceMsMax) void this.#append({ type: "strike", entry });
    }
    this.#silent = silent;
  }

  /** For so long at most somebody delivers who has not read of it. */
  #doubt(): void {
    const { environment, bounds } = this.#services;
    this.#doubtUntil = environment.elapsed() + bounds.nodeSilenceMsMax;
  }

  /** Whether it was written. */
  async #append(command: Command): Promise<boolean> {
    try {
      await this.#log.append(command);
      return true;
    } catch (error) {
      this.#services.log.info("who may deliver could not be written to the log of commands", { command: command.type, error });
      return false;
    }
  }

  #tellOfHold(): void {
    const { lease, log } = this.#services;
    const isGood = !lease.isOver;
    if (isGood !== this.#wasGood && this.#hasLoaded) log.info(isGood ? "delivering" : "nothing is delivered until the log of commands is read");
    this.#wasGood = isGood;
  }
}
