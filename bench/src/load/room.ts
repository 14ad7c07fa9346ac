import type { Joining } from "./wire.js";

/** Members `from` up to, not including, `to`, each in the channels that it is said to be in. */
export function joinings(from: number, to: number, channelsOf: (member: number) => readonly string[]): readonly Joining[] {
  return Array.from({ length: to - from }, (_, index) => ({ member: from + index, channels: channelsOf(from + index), token: `user-${from + index}` }));
}

/** So many names of channels. */
export const channelsNamed = (count: number, first = 0): readonly string[] => Array.from({ length: count }, (_, index) => `room:${first + index}`);
