import { oneField, text, type Shape } from "@tutti/protocol";

/** Names one user, on all their devices, or one session. */
export type Target = { readonly user: string } | { readonly session: string };

/** Who is to get a signal: besides those, one connection, by the id that its metadata has. */
export type SignalTarget = Target | { readonly connection: string };

const user = text(128);
const session = text(64);

/** Who is meant, as other nodes and the log name them. */
export const targetShape: Shape<Target> = oneField({ user, session });
export const signalTargetShape: Shape<SignalTarget> = oneField({ user, session, connection: text(128) });

/** The same text for the same target, and for no other. */
export function keyOfTarget(target: SignalTarget): string {
  if ("user" in target) return `user ${target.user}`;
  return "session" in target ? `session ${target.session}` : `connection ${target.connection}`;
}
