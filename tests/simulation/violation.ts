import type { Position } from "@tutti/protocol";

/** A promise of docs/SPEC.md that was not kept. */
export interface Violation {
  readonly rule: string;
  readonly what: string;
}

export type Report = (rule: string, what: string) => void;

export function show(position: Position | undefined): string {
  return position === undefined ? "nowhere" : `${position.epoch}-${position.seq}`;
}
