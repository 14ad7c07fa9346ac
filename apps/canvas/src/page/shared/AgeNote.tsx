import { ago } from "./time.js";
import { useNow } from "./useNow.js";

const renewMs = 15_000;

/** Says how old is what is shown while there is no connection. */
export function AgeNote({ what, lastLive }: { readonly what: string; readonly lastLive: number }) {
  const now = useNow(renewMs);
  const age = now - lastLive < 60_000 ? "a moment ago" : ago(lastLive, now);
  return (
    <p className="age-note" data-testid="age-note">
      You see {what} as it was <b>{age}</b>. What you change is kept, and sent later.
    </p>
  );
}
