import { formatPosition, TuttiError, type Cancel, type Contract } from "@tutti/protocol";
import type { ChannelState, ReceivedEvent } from "./channel-types.js";
import type { PublishResult } from "./outbound-queue.js";
import type { Inverse, Move, Publish, Stack, Step } from "./undo-steps.js";

/** How many own events are kept until it is known whose they are: one may be of a publish that nobody recorded. */
const ARRIVALS_MAX = 1_000;

/** A channel without the types of its contract. */
export interface UntypedChannel {
  readonly name: string;
  readonly state: ChannelState<unknown>;
  publish(type: string, payload: unknown): Promise<PublishResult>;
  on(type: string, listener: (event: ReceivedEvent) => void): Cancel;
}

/** A publish that is not answered. */
interface Asked {
  /** As the schema made it. */
  publish: Publish;
  /** The state that was shown. */
  readonly before: unknown;
}

/** Publishes as a part of a step, and finds what undoes it. */
export interface Recorder {
  /** @throws TuttiError as the schema does */
  readonly record: (stack: Stack, step: Step, publish: Publish) => Promise<PublishResult>;
  readonly close: Cancel;
}

/**
 * @param changed hears of what is found out about a move after it was made
 * @throws TuttiError `CONTRACT_INVALID` where the contract has no `inverse` for the channel
 */
export function makeRecorder(channel: UntypedChannel, contract: Contract, stacks: readonly Stack[], changed: () => void): Recorder {
  const { events = {}, state } = contract.match(channel.name)?.definition ?? {};
  const inverse = state?.inverse;
  if (inverse === undefined) throw new TuttiError("CONTRACT_INVALID", { message: `the contract does not say what undoes an event of ${channel.name}` });
  const inverseOf = ({ type, payload }: Publish, before: unknown): Inverse => [inverse({ type, payload }, before) ?? []].flat();
  const moves = (): readonly Move[] => stacks.flatMap((stack) => stack.moves());
  /** How many publishes are not answered. */
  let unanswered = 0;
  /** What undoes an own event that arrived: the promise of its publish says which that is, later in the same turn. */
  const arrivals = new Map<string, Inverse>();

  const close = watchOwn(channel, Object.keys(events), (event, before) => {
    // What this throws surfaces as an error of the client, and what was found before stays.
    const found = inverseOf(event, before);
    const move = moves().find(({ eventId }) => eventId === event.eventId);
    if (move !== undefined) move.inverse = found;
    else if (unanswered > 0 && arrivals.size < ARRIVALS_MAX) arrivals.set(event.eventId, found);
    changed();
  });
  /** What undoes a publish whose event is not there; nothing where the contract throws, which surfaces when the event arrives. */
  const foresee = ({ publish, before }: Asked): Inverse => {
    try {
      return inverseOf(publish, before);
    } catch {
      return [];
    }
  };
  /** What undoes a publish waits behind those that went before it, as it does itself; where that surfaces what the contract throws. */
  const reconcile = (pending: Publish, outcome: { readonly sent: Publish; readonly landed: Publish }): Publish => {
    try {
      return state?.reconcile === undefined ? pending : { ...pending, payload: state.reconcile(pending, outcome) };
    } catch {
      return pending;
    }
  };
  const answered = (): void => {
    if (--unanswered === 0) arrivals.clear();
    changed();
  };
  const landed = (move: Move, { publish: sent, before }: Asked, { eventId, payload }: PublishResult): void => {
    if (payload !== undefined) {
      const outcome = { sent, landed: { type: sent.type, payload } };
      // Its event is still to come, or never comes, where a snapshot takes its place.
      move.inverse = foresee({ publish: outcome.landed, before });
      for (const other of moves()) other.inverse = other.inverse?.map((pending) => reconcile(pending, outcome));
    }
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
      const asked: Asked = { publish: { type, payload }, before: channel.state.getSnapshot() };
      const move: Move = { inverse: undefined };
      const checked = (output: unknown): void => {
        asked.publish = { type, payload: output };
        // The event may be faster than an asynchronous schema.
        move.inverse ??= foresee(asked);
      };
      const output = contract.validate(contract.schemaOf(events, type), payload);
      if (output instanceof Promise) void output.then(checked).then(changed, () => {});
      else checked(output);
      stack.add(step, move);
      unanswered++;
      // Last: who hears of it may undo it.
      const published = channel.publish(type, payload);
      published.then((result) => landed(move, asked, result), () => refused(move));
      return published;
    },
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
