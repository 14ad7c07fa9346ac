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

/** Whether the application itself put the caller in: nobody is asked for permission. */
function isInvited({ commands }: NodeState, { session, user }: Caller, { name }: ChannelPolicy): boolean {
  return commands.memberships.has(session, user?.id, name);
}
