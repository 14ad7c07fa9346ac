import type { Contract, EventInput, EventTypeOf, PatternOf } from "@tutti/protocol";
import type { Channel } from "./channel-types.js";
import { attempt, handled } from "./deferred.js";
import type { PublishResult } from "./outbound-queue.js";
import { makeStore, type ReadonlyStore } from "./store.js";
import { makeRecorder } from "./undo-recorder.js";
import { makeStack, type Stack, type Step } from "./undo-steps.js";

export interface UndoOptions<C extends Contract> {
  /** The one that the client was made with; its `state.inverse` says what undoes an event. */
  readonly contract: C;
  /** How many steps can be undone; an older one is forgotten. 100 unless given. */
  readonly stepsMax?: number;
}

export interface UndoInfo {
  readonly canUndo: boolean;
  readonly canRedo: boolean;
}

/**
 * One's own publishes in a channel, step by step, and back. Undoing publishes what the contract's `inverse` names, as any other publish: others'
 * events stay, and who looks on sees an event. What undoes an event is found twice: from the state that is shown when it is published, so that
 * it can be undone while it waits, and from the canonical state that it met, when it arrives.
 */
export interface UndoHistory<C extends Contract, P extends PatternOf<C>> extends ReadonlyStore<UndoInfo> {
  /** As `channel.publish`, and a step of the history. What was undone cannot be redone any more. A publish that is refused is no step. */
  publish<T extends EventTypeOf<C, P>>(type: T, payload: EventInput<C, P, T>): Promise<PublishResult>;
  /** What `work` publishes here, before it returns, is one step. */
  transact<Result>(work: () => Result): Result;
  /**
   * Publishes what undoes the last step; nothing where no step can be undone. Shown at once.
   *
   * @throws (rejects) TuttiError as `channel.publish`: this was refused, and cannot be redone
   */
  undo(): Promise<void>;
  /** Publishes what undoes the last `undo`. @throws (rejects) TuttiError as `undo` */
  redo(): Promise<void>;
  /** Forgets all steps. */
  clear(): void;
  /** Forgets all steps, and listens to the channel no longer. */
  close(): void;
}

/**
 * Undo and redo for a channel that is subscribed and whose contract has `state.inverse`.
 *
 * @throws TuttiError `CONTRACT_INVALID` where the contract has no `inverse` for the channel
 * @example
 * const history = undoHistory(board, { contract });
 * void history.publish("note:add", { id: "n1", text: "Buy milk" });
 * await history.undo();
 */
export function undoHistory<C extends Contract, P extends PatternOf<C>>(channel: Channel<C, P>, options: UndoOptions<C>): UndoHistory<C, P> {
  const { contract, stepsMax = 100 } = options;
  const undoable = makeStack(stepsMax);
  const redoable = makeStack(stepsMax);
  /** Where the publishes of the group that is open go. */
  let group: Step | undefined;
  let info: UndoInfo = { canUndo: false, canRedo: false };
  // There is no client here to surface it: what a listener throws goes where the host reports what nobody caught.
  const store = makeStore((cause) => void Promise.reject(cause), () => info);
  const changed = (): void => {
    const canUndo = undoable.canTake();
    const canRedo = redoable.canTake();
    if (canUndo === info.canUndo && canRedo === info.canRedo) return;
    info = { canUndo, canRedo };
    store.changed();
  };
  const { record, close } = makeRecorder(channel, contract, [undoable, redoable], changed);

  const takeBack = (from: Stack, to: Stack): Promise<void> => {
    const step: Step = [];
    const inverses = from.take().toReversed().flatMap(({ inverse = [] }) => inverse);
    const published = inverses.map((publish) => attempt(() => record(to, step, publish)));
    changed();
    return handled(Promise.all(published).then(() => {}));
  };
  const clear = (): void => {
    undoable.clear();
    redoable.clear();
    changed();
  };
  return {
    getSnapshot: store.getSnapshot,
    subscribe: store.subscribe,
    publish: (type, payload) =>
      attempt(() => {
        const published = record(undoable, group ?? [], { type, payload });
        redoable.clear();
        changed();
        return published;
      }),
    transact(work) {
      const isOutermost = group === undefined;
      group ??= [];
      try {
        return work();
      } finally {
        if (isOutermost) group = undefined;
      }
    },
    undo: () => takeBack(undoable, redoable),
    redo: () => takeBack(redoable, undoable),
    clear,
    close() {
      close();
      clear();
    },
  };
}
