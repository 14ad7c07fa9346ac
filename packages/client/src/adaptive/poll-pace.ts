import type { Cancel, Environment } from "@tutti/protocol";
import { unknownAttention, type Attention, type AttentionLevel } from "./attention.js";

/** How long after an answer the next poll is due. */
export interface PollIntervals {
  readonly lookedAtMs: number;
  readonly unknownMs: number;
  /** `Infinity`: not before somebody looks again. The server takes a client for gone that does not poll. */
  readonly backgroundMs: number;
}

export const pollIntervals: PollIntervals = { lookedAtMs: 2_000, unknownMs: 10_000, backgroundMs: 60_000 };

/** The first pause between polls while an answer is waited for. */
const HURRY_MS = 250;

/** Says when to poll. */
export interface PollPace {
  /** The longest pause between two polls that somebody may see; for the server, which else takes the client for gone. `Infinity` where it may pause. */
  readonly longestMs: number;
  /**
   * Runs `poll` when the next one is due, counted from now: the last answer has come.
   *
   * @param retryAfterMs what the server asked for: sooner it is not, whoever looks or waits
   */
  next(poll: () => void, retryAfterMs?: number): void;
  /** Something was sent whose answer a poll brings: polls are due at once, and then with pauses that double until they are the usual ones. */
  hurry(): void;
  /** Nothing runs any more. */
  stop(): void;
}

interface PollPaceParts {
  readonly environment: Pick<Environment, "elapsed" | "after">;
  readonly attention?: Attention | undefined;
  readonly intervals?: Partial<PollIntervals> | undefined;
}

export function makePollPace({ environment, attention = unknownAttention, intervals }: PollPaceParts): PollPace {
  const { lookedAtMs, unknownMs, backgroundMs } = { ...pollIntervals, ...intervals };
  const intervalMs: Readonly<Record<AttentionLevel, number>> = { "looked-at": lookedAtMs, unknown: unknownMs, background: backgroundMs };
  let due: { readonly poll: () => void; readonly fromMs: number; readonly patienceMs: number } | undefined;
  let hurryMs = Infinity;
  let timer: Cancel | undefined;
  let watch: Cancel | undefined;

  const run = (): void => {
    const poll = due?.poll;
    due = undefined;
    hurryMs = hurryMs < HURRY_MS ? HURRY_MS : hurryMs * 2;
    // A page in the background that may pause does.
    if (hurryMs > unknownMs) hurryMs = Infinity;
    poll?.();
  };
  const arm = (): void => {
    timer?.();
    timer = undefined;
    if (due === undefined) return;
    const pauseMs = Math.max(Math.min(intervalMs[attention.level()], hurryMs), due.patienceMs);
    const dueInMs = Math.max(0, due.fromMs + pauseMs - environment.elapsed());
    if (Number.isFinite(dueInMs)) timer = environment.after(dueInMs, run);
  };

  return {
    longestMs: Math.max(lookedAtMs, unknownMs, backgroundMs),
    next(poll, retryAfterMs = 0) {
      due = { poll, fromMs: environment.elapsed(), patienceMs: retryAfterMs };
      watch ??= attention.watch(arm);
      arm();
    },
    hurry() {
      hurryMs = 0;
      arm();
    },
    stop() {
      due = undefined;
      watch?.();
      watch = undefined;
      arm();
    },
  };
}
