/** Milliseconds of a clock that never goes back and is the same in all processes of a run. */
export const clock = (): number => performance.timeOrigin + performance.now();
