import { readSnapshot, reduceEvent, type LastSeen, type StateDefinition } from "@tutti/protocol";
import { lastSeen, type LoggedEvent, type StoredSnapshot } from "../broker/broker.js";

// oxlint-disable-next-line no-explicit-any -- the contract's own types were checked where it was defined
type AnyState = StateDefinition<any, any>;

/** The state of a channel: the reduction of its events up to a position. */
export class View {
  readonly #definition: AnyState;
  readonly #types: ReadonlySet<string>;
  #state: unknown;
  #position: LastSeen;
  #reduced = 0;
  #errors = 0;

  /**
   * A view that has reduced nothing since `snapshot`; without one it starts at `floor`, where the log does.
   *
   * @throws TuttiError `VERSION_UNSUPPORTED` for a snapshot that is newer than the contract, or that cannot be migrated
   */
  constructor(definition: AnyState, types: readonly string[], snapshot: StoredSnapshot | undefined, floor: LastSeen) {
    this.#definition = definition;
    this.#types = new Set(types);
    this.#state = snapshot === undefined ? definition.initial : readSnapshot(definition, snapshot);
    this.#position = snapshot === undefined ? floor : lastSeen(snapshot);
  }

  /** The last event that it holds. */
  get position(): LastSeen {
    return this.#position;
  }

  get state(): unknown {
    return this.#state;
  }

  get version(): number {
    return this.#definition.version;
  }

  /** How many events came since the snapshot. */
  get reduced(): number {
    return this.#reduced;
  }

  /** How many events `reduce` threw at; they were skipped. */
  get errors(): number {
    return this.#errors;
  }

  apply(epoch: string, event: LoggedEvent): void {
    this.#position = { epoch, seq: event.seq, eventId: event.eventId };
    this.#reduced++;
    if (!this.#types.has(event.type)) return;
    try {
      this.#state = reduceEvent(this.#definition, this.#state, event);
    } catch {
      this.#errors++;
    }
  }
}
