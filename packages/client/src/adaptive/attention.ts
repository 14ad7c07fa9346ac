import type { Cancel } from "@tutti/protocol";

/**
 * How closely somebody looks:
 * - `looked-at`: the page is in front of somebody
 * - `unknown`: it may be, and where there is no page
 * - `background`: nobody sees it
 */
export type AttentionLevel = "looked-at" | "unknown" | "background";

/** Knows how closely somebody looks. */
export interface Attention {
  level(): AttentionLevel;
  /** Calls `changed` after each change of the level. */
  watch(changed: () => void): Cancel;
}

/** For a program without a page. */
export const unknownAttention: Attention = { level: () => "unknown", watch: () => () => {} };
