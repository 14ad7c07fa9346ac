/** How much work a measurement does: enough for a figure, or just enough to see that it runs. */
export type Size = "full" | "tiny";

/** Where and how one measurement runs. */
export interface Run {
  readonly size: Size;
  /** An empty folder of its own, gone afterwards. */
  readonly folder: string;
  /** What the contender's `prepare` left, the same for all its rounds; not to be changed. */
  readonly prepared: string;
  /** The core that a second process is to run on, beside the measured one; `undefined` where it may run anywhere. */
  readonly otherCore: number | undefined;
}

/** A figure, or samples of one, to be merged with those of other rounds. */
export type Figure = number | readonly number[];

/** What a measurement gave, by the name of the quantity; what could not be measured is not there. */
export type Sample = Readonly<Record<string, Figure>>;

export interface Quantity {
  readonly name: string;
  readonly unit: string;
  /** Where it is measured at several points, for example at several rates: the figure of each stands under {@link keyOf}. */
  readonly at?: { readonly what: string; readonly points: readonly number[] };
  /** A quantile of the samples that a measurement gave under another name. */
  readonly quantile?: { readonly of: string; readonly share: number };
  /** Only explains the others: shown after them. */
  readonly isDetail?: boolean;
}

/** What a quantity at a point is called in a sample. */
export const keyOf = (name: string, point?: number): string => (point === undefined ? name : `${name} at ${point}`);

/** The result of a scenario: one contender's figure divided by another's of the same round, or what it has more than the other one; or by itself. */
export interface Comparison {
  readonly quantity: string;
  readonly of: string;
  readonly to?: string;
  /** The point where the quantity has several. */
  readonly at?: number;
  /** What of the other one it is compared with; the same unless given. */
  readonly toQuantity?: string;
  readonly toAt?: number;
  /** The ratio unless given. */
  readonly by?: "difference";
  /** What the ratio should be; nothing fails where it is not. */
  readonly goal?: { readonly atLeast?: number; readonly atMost?: number };
}

/** One of those that are measured beside each other: makes itself ready for the scenario's load. */
export interface Contender<Subject> {
  /** Why it cannot be measured here, in words. Asked first, in the process that orders the others. */
  missing?(size: Size): Promise<string | undefined>;
  /** What has to be known of it beside its figures, in words: which release it is where that is not said elsewhere. Asked where it is not missing. */
  note?(): Promise<string | undefined>;
  /** Once before the first round, in a process of its own: what takes long to make, left in the folder. */
  prepare?(run: Run): Promise<void>;
  open(run: Run): Promise<Subject & { close(): Promise<void> }>;
}

export interface ScenarioDefinition<Subject> {
  readonly name: string;
  /** What it measures, in a line. */
  readonly what: string;
  readonly rounds: number;
  readonly quantities: readonly Quantity[];
  readonly contenders: Readonly<Record<string, Contender<Subject>>>;
  readonly comparisons: readonly Comparison[];
  /** The same work for every contender. */
  readonly load: (subject: Subject, size: Size) => Promise<Sample>;
}

/** A load, and those that bear it. */
export interface Scenario extends Omit<ScenarioDefinition<never>, "contenders" | "load"> {
  readonly contenders: readonly string[];
  missing(contender: string, size: Size): Promise<string | undefined>;
  note(contender: string): Promise<string | undefined>;
  prepare(contender: string, run: Run): Promise<void>;
  measure(contender: string, run: Run): Promise<Sample>;
}

/** Keeps to itself what a contender of the scenario is. */
export function scenario<Subject>({ contenders, load, ...rest }: ScenarioDefinition<Subject>): Scenario {
  const named = (name: string): Contender<Subject> => {
    const contender = contenders[name];
    if (contender === undefined) throw new Error(`${rest.name} has no contender "${name}"`);
    return contender;
  };
  return {
    ...rest,
    contenders: Object.keys(contenders),
    missing: async (contender, size) => named(contender).missing?.(size),
    note: async (contender) => named(contender).note?.(),
    prepare: async (contender, run) => named(contender).prepare?.(run),
    async measure(contender, run) {
      const subject = await named(contender).open(run);
      try {
        return await load(subject, run.size);
      } finally {
        await subject.close();
      }
    },
  };
}
