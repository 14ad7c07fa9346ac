import { formatPosition, TuttiError, type Cancel, type Contract, type EventInput, type EventTypeOf, type PatternOf, type PublishOf, type Schemas } from "@tutti/protocol";
import type { Channel, ChannelState, ReceivedEvent } from "./channel-types.js";
import { attempt, handled } from "./deferred.js";
import type { PublishResult } from "./outbound-queue.js";
import { makeStore, type ReadonlyStore } from "./store.js";

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

/** A channel without the types of its contract. */
interface UntypedChannel {
  readonly name: string;
  readonly state: ChannelState<unknown>;
  publish(type: string, payload: unknown): Promise<PublishResult>;
  on(type: string, listener: (event: ReceivedEvent) => void): Cancel;
}

type Publish = PublishOf<Schemas>;
type Inverse = readonly Publish[];

/** One publish of a step. */
interface Move {
  /** What undoes it: nothing for what cannot be undone, `undefined` while an asynchronous schema is at work. */
  inverse: Inverse | undefined;
  /** Of the event that it becomes, from the ack on. */
  eventId?: string;
}

/** What was published together and is undone together. Emptied when it is taken, so that a group that goes on begins anew. */
type Step = Move[];

/** The steps of one direction, the last one first to be taken. */
interface Stack {
  /** Whether a step would be taken: not while what undoes the last one is not known. */
  canTake(): boolean;
  /** Takes the last step that has something to publish; those above it are forgotten. */
  take(): Step;
  /** Makes `move` the last of `step`, which need not be here yet. */
  add(step: Step, move: Move): void;
  remove(move: Move): void;
  find(eventId: string): Move | undefined;
  clear(): void;
}

function makeStack(stepsMax: number): Stack {
  const steps: Step[] = [];
  const last = (): number => {
    const index = steps.findLastIndex((step) => step.some(({ inverse }) => inverse?.length !== 0));
    return steps[index]?.every(({ inverse }) => inverse !== undefined) === true ? index : -1;
  };
  return {
    canTake: () => last() !== -1,
    take() {
      const index = last();
      const [step] = index === -1 ? [] : steps.splice(index);
      return step?.splice(0) ?? [];
    },
    add(step, move) {
      step.push(move);
      if (!steps.includes(step)) steps.push(step);
      if (steps.length > stepsMax) steps.shift();
    },
    remove(move) {
      const index = steps.findIndex((step) => step.includes(move));
      const step = steps[index];
      step?.splice(step.indexOf(move), 1);
      if (step?.length === 0) steps.splice(index, 1);
    },
    find: (eventId) => steps.flat().find((move) => move.eventId === eventId),
    clear: () => void steps.splice(0),
  };
}

/** Tells of each own event, and of the canonical state that it met. */
function watchOwn(channel: UntypedChannel, types: readonly string[], arrived: (event: ReceivedEvent, before: unknown) => void): Cancel {
  const { state } = channel;
  const look = () => {
    const position = state.position();
    return { at: position && formatPosition(position), state: state.canonical() };
  };
  let seen = look();
  let before: unknown;
  // Who listens to the state may hear of an event's state earlier than the event is told: the position says whether it is another one.
  const observe = (): void => {
    const now = look();
    if (now.at !== seen.at) before = seen.state;
    seen = now;
  };
  const cancels = types.map((type) =>
    channel.on(type, (event) => {
      observe();
      if (event.own) arrived(event, before);
    }),
  );
  cancels.push(state.subscribe(observe));
  return () => cancels.forEach((cancel) => cancel());
}

/** How many own events are kept until it is known whose they are: one may be of a publish that nobody recorded. */
const ARRIVALS_MAX = 1_000;

/** Publishes as a part of a step, and finds what undoes it. */
interface Recorder {
  /** @throws TuttiError as the schema does */
  readonly record: (stack: Stack, step: Step, publish: Publish) => Promise<PublishResult>;
  readonly close: Cancel;
}

/** @param changed hears of what is found out about a move after it was made */
function makeRecorder(channel: UntypedChannel, contract: Contract, stacks: readonly Stack[], changed: () => void): Recorder {
  const { events = {}, state } = contract.match(channel.name)?.definition ?? {};
  const inverse = state?.inverse;
  if (inverse === undefined) throw new TuttiError("CONTRACT_INVALID", { message: `the contract does not say what undoes an event of ${channel.name}` });
  const inverseOf = ({ type, payload }: Publish, before: unknown): Inverse => [inverse({ type, payload }, before) ?? []].flat();
  /** How many publishes are not answered. */
  let unanswered = 0;
  /** What undoes an own event that arrived: the promise of its publish says which that is, later in the same turn. */
  const arrivals = new Map<string, Inverse>();

  const close = watchOwn(channel, Object.keys(events), (event, before) => {
    // What this throws surfaces as an error of the client, and what was found before stays.
    const found = inverseOf(event, before);
    const move = stacks.map((stack) => stack.find(event.eventId)).find((other) => other !== undefined);
    if (move !== undefined) move.inverse = found;
    else if (unanswered > 0 && arrivals.size < ARRIVALS_MAX) arrivals.set(event.eventId, found);
    changed();
  });
  const answered = (): void => {
    if (--unanswered === 0) arrivals.clear();
    changed();
  };
  const landed = (move: Move, eventId: string): void => {
    move.eventId = eventId;
    move.inverse = arrivals.get(eventId) ?? move.inverse;
    arrivals.delete(eventId);
    answered();
  };
  const refused = (move: Move): void => {
    for (const stack of stacks) stack.remove(move);
    answered();
  };
  return {
    close,
    record(stack, step, { type, payload }) {
      const before = channel.state.getSnapshot();
      const move: Move = { inverse: undefined };
      const learn = (as: unknown): Inverse => {
        try {
          return inverseOf({ type, payload: as }, before);
        } catch {
          // Surfaces when the event arrives; until then nothing undoes it.
          return [];
        }
      };
      const output = contract.validate(contract.schemaOf(events, type), payload);
      if (output instanceof Promise) {
        // The event may be faster than the schema.
        void output.then((value: unknown) => (move.inverse ??= learn(value))).then(changed, () => {});
      } else move.inverse = learn(output);
      stack.add(step, move);
      unanswered++;
      // Last: who hears of it may undo it.
      const published = channel.publish(type, payload);
      published.then(
        (result) => {
          // What the server made of it has its event still to come, or never, where a snapshot takes its place.
          if (result.payload !== undefined) move.inverse = learn(result.payload);
          landed(move, result.eventId);
        },
        () => refused(move),
      );
      return published;
    },
  };
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
