import { Avatar } from "../shared/Avatar.js";
import type { Camera } from "./camera.js";
import type { CanvasPerson } from "./others.js";

interface PeopleProps {
  readonly people: readonly CanvasPerson[];
  /** Shows what somebody looks at. */
  readonly onVisit: (view: Camera) => void;
}

type Attention = "here" | "idle" | "away";

/** Somebody is as attentive as the most attentive of their devices. */
function attentionOf({ away, devices }: CanvasPerson): Attention {
  if (away) return "away";
  return devices.some((device) => !device.away && device.activity === "active") ? "here" : "idle";
}

const words: Readonly<Record<Attention, string>> = { here: "", idle: ", idle", away: ", away" };

const shownMax = 6;

/** Who else is on the canvas, each person once. */
export function People({ people, onVisit }: PeopleProps) {
  return (
    <ul className="people" aria-label="Other people on this canvas">
      {people.slice(0, shownMax).map((person) => (
        <li key={person.key}>
          <PersonButton person={person} onVisit={onVisit} />
        </li>
      ))}
      {people.length > shownMax && <li className="avatar avatar-more">+{people.length - shownMax}</li>}
    </ul>
  );
}

function PersonButton({ person, onVisit }: { readonly person: CanvasPerson; readonly onVisit: (view: Camera) => void }) {
  const device = person.devices.find(({ away }) => !away) ?? person.devices[0];
  if (device === undefined) return null;
  const { name, colour, view } = device.state;
  const attention = attentionOf(person);
  const count = person.devices.length;
  const label = `${name}${words[attention]}${count > 1 ? `, on ${count} devices` : ""}`;
  return (
    <button
      type="button"
      className="person"
      data-testid="person"
      data-attention={attention}
      data-colour={colour}
      aria-label={label}
      title={`${label}. Click to see what they see`}
      onClick={() => onVisit(view)}
    >
      <Avatar name={name} colour={colour} />
      {count > 1 && <span className="device-count">{count}</span>}
    </button>
  );
}
