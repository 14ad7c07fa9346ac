import { TuttiError, type LastSeen } from "@tutti/protocol";
import type { BusMessage, Sender } from "../bus/bus-messages.js";
import type { Services } from "../services.js";
import type { Readers } from "../http/readers.js";
import type { Sessions } from "../sessions/sessions.js";
import type { Target } from "../target.js";
import { CommandAnswers } from "./command-answers.js";
import { CommandLog, type LoggedAt } from "./command-log.js";
import { CommandState } from "./command-state.js";
import { REASON_CHARACTERS_MAX, readCommand, type Command, type CommandOf } from "./command.js";
import { LeaseKeeper } from "./lease-keeper.js";
import type { Memberships } from "./memberships.js";

/** So many nodes at most are answered at a time; the others ask again. */
const ASKING_MAX = 256;

type EvictionCode = CommandOf<"evict">["code"];

/** Whom commands are about. */
interface CommandTargets {
  readonly sessions: Sessions;
  readonly readers: Readers;
}

/**
 * What the application does to people, at every node: whom it puts in, takes out and sends away, and what it closes. Commands are logged, so that all
 * nodes take them in one order, whatever the bus loses, and a node that starts later knows what stands. What ends something ends it here at once, and
 * once more at its place in the log, where another node may have put somebody in meanwhile.
 *
 * Each command's promise is that of {@link CommandAnswers.of}; nobody has to wait for it.
 */
export class Commands {
  readonly #services: Services;
  readonly #sessions: Sessions;
  readonly #readers: Readers;
  readonly #state: CommandState;
  readonly #log: CommandLog;
  readonly #lease: LeaseKeeper;
  readonly #answers: CommandAnswers;
  #endedCount = 0;
  /** Who is being put into a channel just now. */
  readonly #joining = new Map<string, Promise<void>>();
  /** The nodes that wait for an answer until the log is read. */
  readonly #asking = new Map<string, LastSeen>();

  /** @param ready is called when this node knows what stands */
  constructor(services: Services, { sessions, readers }: CommandTargets, ready: () => void) {
    this.#services = services;
    this.#sessions = sessions;
    this.#readers = readers;
    this.#state = new CommandState(services.policy);
    this.#log = new CommandLog(services, this.#state, {
      taken: (command) => {
        this.#enforce(command);
        this.#lease.taken();
      },
      loaded: () => {
        ready();
        this.#lease.loaded();
        this.#enterAll();
      },
    });
    this.#lease = new LeaseKeeper(services, this.#log, this.#state.entered);
    this.#answers = new CommandAnswers(services, this.#log, this.#lease);
    services.nodes.hear((message, sender) => this.#hear(message, sender));
  }

  get memberships(): Memberships {
    return this.#state.memberships;
  }

  /** Settles when this node knows what stands, or could not find out; `undefined` where it knows. Rejects with `UNAVAILABLE`. */
  get loading(): Promise<void> | undefined {
    return this.#log.loading;
  }

  /** Resolves when those of the target who are here are in, and every other node has begun to put its own in. */
  add(channel: string, target: Target): Promise<void> {
    return this.#spread({ type: "add", channel, target }, () => this.#joining.get(channel));
  }

  evict(channel: string, target: Target, code: EvictionCode, reason: string): Promise<void> {
    return this.#endAtOnce({ type: "evict", channel, target, code, reason: reason.slice(0, REASON_CHARACTERS_MAX) });
  }

  disconnect(target: Target, reason: string): Promise<void> {
    return this.#endAtOnce({ type: "disconnect", target, reason: reason.slice(0, REASON_CHARACTERS_MAX) });
  }

  closeChannel(channel: string): Promise<void> {
    return this.#endAtOnce({ type: "close", channel });
  }

  reopenChannel(channel: string): Promise<void> {
    return this.#spread({ type: "reopen", channel });
  }

  /** Takes what another node says of commands; passes over the rest. */
  #hear(message: BusMessage, { node }: Sender): void {
    switch (message.kind) {
      case "command:await":
        return this.#answer(node, message);
      case "command:done":
        return this.#answers.hear(node, message);
      default:
    }
  }

  /** Compares the log's head with what was taken; never rejects. */
  checkHead(): Promise<void> {
    return this.#log.checkHead();
  }

  async close(): Promise<void> {
    this.#answers.close();
    await this.#lease.close();
    await this.#log.close();
  }

  /** What stands changes with the log alone, so that it is the same at all nodes also where the log could not be written. */
  #endAtOnce(command: Command): Promise<void> {
    this.#enforce(command);
    return this.#spread(command);
  }

  #spread(command: Command, done: () => Promise<void> | undefined = () => undefined): Promise<void> {
    const spread = this.#logged(command).then(async (position) => {
      await this.#answers.of(position);
      await done();
    });
    // Who does not wait for it is not to be ended by it.
    spread.catch((error: unknown) => this.#services.log.warn("a command is not known to have reached all nodes", { command: command.type, error }));
    return spread;
  }

  async #logged(command: Command): Promise<LoggedAt> {
    const { type, ...payload } = command;
    const { bounds, policy } = this.#services;
    const { commandsMax, membershipsMax } = bounds;
    if (type === "add") policy.channel(command.channel).assertOpen();
    if (this.#answers.size >= commandsMax) throw new TuttiError("LIMIT_EXCEEDED", { message: `commandsMax is ${commandsMax}` });
    if (type === "add" && this.memberships.size >= membershipsMax) throw new TuttiError("LIMIT_EXCEEDED", { message: `membershipsMax is ${membershipsMax}` });
    // What other nodes would refuse to read is not written.
    return this.#log.append(readCommand({ type, payload }));
  }

  /** How many commands have ended something, or would have. */
  get endedCount(): number {
    return this.#endedCount;
  }

  /** Does here what a command asks for, beyond what stands. */
  #enforce(command: Command): void {
    if (command.type === "evict" || command.type === "disconnect" || command.type === "close") this.#endedCount++;
    switch (command.type) {
      case "add":
        return this.#join(command);
      case "evict":
        return this.#evict(command);
      case "disconnect":
        for (const connection of this.#sessions.of(command.target)) connection.fail(new TuttiError("KICKED", { message: command.reason }), "leave");
        for (const reader of this.#readers.of(command.target)) reader.fail(new TuttiError("KICKED", { message: command.reason }));
        return;
      case "close":
        return this.#close(command);
      case "enter":
      case "leave":
      case "strike":
      case "reopen":
        return;
      default:
        command satisfies never;
    }
  }

  #join({ channel, target }: CommandOf<"add">): void {
    const joins = this.#sessions.of(target).map(({ requests }) => requests?.join(channel));
    const joined = Promise.all([this.#joining.get(channel), ...joins]).then(() => {
      if (this.#joining.get(channel) === joined) this.#joining.delete(channel);
    });
    this.#joining.set(channel, joined);
  }

  #evict({ channel, target, code, reason }: CommandOf<"evict">): void {
    const error = new TuttiError(code, { message: reason });
    for (const { requests } of this.#sessions.of(target)) requests?.evict(channel, error);
    for (const reader of this.#readers.of(target)) reader.evict(channel, error);
  }

  #close({ channel }: CommandOf<"close">): void {
    const error = new TuttiError("ROOM_NOT_FOUND", { message: `${channel} was closed` });
    for (const { requests } of this.#sessions.all()) requests?.evict(channel, error);
    for (const reader of this.#readers) reader.evict(channel, error);
  }

  /** Whoever said hello before this node knew what stands is put in now. */
  #enterAll(): void {
    for (const { requests } of this.#sessions.all()) requests?.enterMemberships();
  }

  /** Tells another node that this one is as far as it asks for, once it is: one reading of the log serves all that ask meanwhile. */
  #answer(node: string, position: LastSeen): void {
    if (this.#hasTaken(position)) return this.#sayDone(node, position);
    if (this.#asking.size >= ASKING_MAX) return;
    const isReading = this.#asking.size > 0;
    this.#asking.set(node, position);
    if (!isReading) this.#log.refresh().then(() => this.#answerAll(), () => this.#answerAll());
  }

  /** Whoever is not answered asks again. */
  #answerAll(): void {
    for (const [node, position] of this.#asking) if (this.#hasTaken(position)) this.#sayDone(node, position);
    this.#asking.clear();
  }

  /** A place may be of a course that the log has left since; the command tells, where it is named. */
  #hasTaken({ epoch, seq, eventId }: LastSeen): boolean {
    return eventId === undefined ? this.#log.hasReached({ epoch, seq }) : this.#log.hasTaken({ epoch, seq, eventId });
  }

  #sayDone(node: string, { epoch, seq }: LastSeen): void {
    this.#services.bus.tell(`node:${node}`, { kind: "command:done", epoch, seq });
  }
}
