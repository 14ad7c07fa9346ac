import type { PublishOf, Schemas } from "@tutti/protocol";

export type Publish = PublishOf<Schemas>;
/** What undoes a publish, in this order; nothing for what cannot be undone. */
export type Inverse = readonly Publish[];

/** One publish of a step. */
export interface Move {
  /** What undoes it; `undefined` while an asynchronous schema is at work. */
  inverse: Inverse | undefined;
  /** Of the event that it becomes, from the ack on. */
  eventId?: string;
}

/** What was published together and is undone together. Emptied when it is taken, so that a group that goes on begins anew. */
export type Step = Move[];

/** The steps of one direction, the last one first to be taken. */
export interface Stack {
  /** Whether a step would be taken: not while what undoes the last one is not known. */
  canTake(): boolean;
  /** Takes the last step that has something to publish; those above it are forgotten. */
  take(): Step;
  /** Makes `move` the last of `step`, which need not be here yet. */
  add(step: Step, move: Move): void;
  remove(move: Move): void;
  moves(): readonly Move[];
  clear(): void;
}

export function makeStack(stepsMax: number): Stack {
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
    moves: () => steps.flat(),
    clear: () => void steps.splice(0),
  };
}
