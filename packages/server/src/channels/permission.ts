import { TuttiError } from "@tutti/protocol";
import type { Caller } from "../handlers.js";
import type { NodeState } from "../node-state.js";
import type { ChannelPolicy } from "../policy/policy.js";

/**
 * Resolves where the caller may read the channel: it exists, and the application allows it, or has put the caller in.
 *
 * @throws TuttiError `ROOM_NOT_FOUND`, `FORBIDDEN`, as the application refuses, or `UNAVAILABLE` while it cannot be known who was revoked
 */
export async function permitReading(node: NodeState, caller: Caller, policy: ChannelPolicy): Promise<void> {
  // Who is revoked while this node does not hear of it is not to be let in on an older permission.
  const { loading } = node.commands;
  if (loading !== undefined) await loading;
  await policy.assertExists();
  if (isInvited(node, caller, policy)) return;
  try {
    await policy.assertAllowed(caller, "subscribe");
  } catch (error) {
    // The application may have put the session in while it was asked.
    if (!isInvited(node, caller, policy)) throw error;
  }
}

/**
 * Resolves where what was read for a caller may be told: by now, too, the caller may read the channel.
 *
 * @param endedCount what `commands.endedCount` was before {@link permitReading} was asked: where nothing was ended since, nobody is asked again
 * @throws TuttiError as {@link permitReading}
 */
export async function permitTelling(node: NodeState, caller: Caller, policy: ChannelPolicy, endedCount: number): Promise<void> {
  if (node.services.lease.isOver) throw new TuttiError("UNAVAILABLE", { message: "it cannot be known now who was revoked" });
  if (node.commands.endedCount !== endedCount) await permitReading(node, caller, policy);
}

/** Whether the application itself put the caller in: nobody is asked for permission. */
function isInvited({ commands }: NodeState, { session, user }: Caller, { name }: ChannelPolicy): boolean {
  return commands.memberships.has(session, user?.id, name);
}
