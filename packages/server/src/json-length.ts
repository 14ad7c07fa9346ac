/**
 * About as many bytes as the value takes as JSON, which would take several times as long to make: escapes and characters beyond ASCII count as one,
 * numbers as eight.
 */
export function jsonLength(value: unknown): number {
  if (typeof value === "string") return value.length + 2;
  if (typeof value !== "object" || value === null) return 8;
  if (value instanceof Uint8Array) return Math.ceil(value.length / 3) * 4;
  let length = 2;
  if (Array.isArray(value)) for (const item of value) length += jsonLength(item) + 1;
  else for (const [key, item] of Object.entries(value)) length += key.length + 4 + jsonLength(item);
  return length;
}
