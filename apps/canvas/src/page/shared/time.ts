const units = [
  { unit: "day", ms: 86_400_000 },
  { unit: "hour", ms: 3_600_000 },
  { unit: "minute", ms: 60_000 },
] as const;

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

/** "5 minutes ago". Both are Unix ms. */
export function ago(time: number, now: number): string {
  const passedMs = now - time;
  for (const { unit, ms } of units) if (passedMs >= ms) return relative.format(-Math.floor(passedMs / ms), unit);
  return "just now";
}

/** "14:05". */
export function timeOfDay(time: number): string {
  return clock.format(time);
}
