/** How far a connection has come when the bad message arrives. */
export type Stage = "opened" | "greeted" | "subscribed";

/** A message that a careless, broken or hostile client sends. */
export interface BadMessage {
  readonly name: string;
  readonly stage: Stage;
  readonly send: string | Uint8Array;
  /**
   * The code of the answer. Whether the connection then closes, and with which close code, is the registry's to say. `ok` where nothing is
   * wrong with it after all, `gap` where the answer succeeds and announces one.
   */
  readonly expect: string;
  /** The field that the answer names, or how its path begins. */
  readonly field?: string;
  /** The close code, where the connection ends for another reason than the code's own. */
  readonly closes?: number;
}

/** What arrives at the port instead of a proper opening handshake. */
export interface BadHandshake {
  readonly name: string;
  /** Everything that is sent; nothing follows. */
  readonly send: string;
  /** The status of the answer, or `closed` where the connection ends without one. */
  readonly expect: number | "closed";
}

type Fields = Readonly<Record<string, unknown>>;

/** The session of those who send bad messages. */
export const badSession = "a-session-of-bad-input";

export const helloFrame: Fields = { op: "hello", versions: [1], session: badSession };
export const subscribeFrame: Fields = { op: "subscribe", correlationId: "c", channel: "canvas:bad" };
export const publishFrame: Fields = {
  op: "publish",
  correlationId: "c",
  channel: "canvas:bad",
  n: 1,
  settled: 0,
  type: "concept:create",
  payload: { id: "c1", title: "Sun" },
  timestamp: 1_700_000_000_000,
};
export const signalFrame: Fields = { op: "signal", channel: "canvas:bad", type: "cursor:move", payload: { x: 1, y: 2 } };
export const callFrame: Fields = { op: "call", correlationId: "c", channel: "canvas:bad", type: "canvas:echo", payload: "hi", timestamp: 1 };
export const presenceFrame: Fields = { op: "presence", correlationId: "c", channel: "canvas:bad", member: { name: "Bad" } };

/** The frame as text, with some of its fields replaced; `undefined` leaves one out. */
export function text(frame: Fields, changes: Fields = {}): string {
  return JSON.stringify({ ...frame, ...changes });
}

/** A short name for a value that may be long. */
export function nameOf(value: unknown): string {
  if (value === undefined) return "missing";
  const json = JSON.stringify(value);
  return json.length <= 40 ? json : `${json.slice(0, 24)}… (${json.length} characters)`;
}
