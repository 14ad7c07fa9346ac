import { useEffect, useEffectEvent } from "react";
import type { Channel } from "tutti/client";
import type { PatternOf, PresenceInput } from "tutti/contract";
import type { contract } from "../contract.js";

/**
 * Subscribes to a channel while the component is mounted, watches who is there, and is there itself with `state`, which should keep its
 * reference until it changes. Why a subscription was refused stands in `channel.status`.
 */
export function useSubscription<P extends PatternOf<typeof contract>>(channel: Channel<typeof contract, P>, state: PresenceInput<typeof contract, P>): void {
  const subscribe = useEffectEvent(() => channel.subscribe({ presence: { state } }));
  useEffect(() => {
    subscribe().catch(ignore);
    return () => {
      channel.unsubscribe().catch(ignore);
    };
  }, [channel]);
  useEffect(() => {
    channel.presence.update(state).catch(ignore);
  }, [channel, state]);
}

/** For a promise whose refusal shows elsewhere. */
function ignore(): void {}
