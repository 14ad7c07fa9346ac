import { list, optional, record, text, type ValueOf } from "@tutti/protocol";
import type { Policy } from "../policy/policy.js";
import type { Command } from "./command.js";
import { EnteredNodes, enteredShape } from "./entered-nodes.js";
import { Memberships, membershipsShape } from "./memberships.js";

/** Of the channels that were closed so many are remembered, the last ones. */
const CLOSED_MAX = 10_000;

const storedShape = record({ memberships: membershipsShape, closed: list(text(128, 1), CLOSED_MAX), entered: optional(enteredShape) });
const NOTHING: ValueOf<typeof storedShape> = { memberships: [], closed: [] };

/** What commands leave standing: who was put in, what is closed, which nodes may deliver. It is the same at every node that has taken the same log. */
export class CommandState {
  readonly version = 1;
  readonly memberships = new Memberships();
  readonly entered = new EnteredNodes();
  readonly #policy: Policy;

  constructor(policy: Policy) {
    this.#policy = policy;
  }

  /** Takes one command, after those before it. The latest word holds: taking some of them again leaves what was there. */
  apply(command: Command): void {
    switch (command.type) {
      case "add":
        return this.memberships.add(command.target, command.channel);
      case "evict":
        return this.memberships.remove(command.target, command.channel);
      case "close":
        this.memberships.removeChannel(command.channel);
        return this.#policy.close(command.channel, CLOSED_MAX);
      case "reopen":
        return this.#policy.reopen(command.channel);
      case "enter":
        return this.entered.enter(command);
      case "leave":
        return this.entered.leave(command.entry);
      case "strike":
        return this.entered.strike(command.entry);
      case "disconnect":
        return;
      default:
        command satisfies never;
    }
  }

  /** To be stored: made anew, so that it stays what it is. */
  stored(): unknown {
    return { memberships: this.memberships.stored(), closed: [...this.#policy.closed], entered: this.entered.stored() };
  }

  /** Goes on from what was stored; from nothing where nothing was. @throws TuttiError `FRAME_INVALID` for what is no state of this kind */
  restore(stored: unknown): void {
    const { memberships, closed, entered } = stored === undefined ? NOTHING : storedShape.read(stored, "state");
    this.memberships.restore(memberships);
    this.entered.restore(entered ?? { entries: [], struckCount: 0 });
    for (const channel of this.#policy.closed) this.#policy.reopen(channel);
    for (const channel of closed) this.#policy.close(channel, CLOSED_MAX);
  }
}
