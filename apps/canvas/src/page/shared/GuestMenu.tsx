import { palette } from "../../palette.js";
import { client } from "../client.js";
import { becomeNewGuest, updateGuest, useGuest } from "../guest.js";
import { Avatar } from "./Avatar.js";
import { useStore } from "./store.js";

/** Who I am here: a name and a colour, kept in this browser. `devices`: on how many of my pages I am here at once. */
export function GuestMenu({ devices = 1 }: { readonly devices?: number }) {
  const { name, colour } = useGuest();
  const { count } = useStore(client.pending);
  return (
    <>
      <button type="button" className="me" data-testid="person" popoverTarget="guest-menu" aria-label={`You are ${name}. Change name and colour`}>
        <Avatar name={name} colour={colour} />
        {devices > 1 && <span className="device-count">{devices}</span>}
        <span className="me-name">{name}</span>
      </button>
      <div id="guest-menu" className="popover" popover="auto">
        <label className="field">
          <span>Your name</span>
          <input type="text" maxLength={40} defaultValue={name} onChange={(event) => updateGuest({ name: event.target.value })} />
        </label>
        <fieldset className="swatches">
          <legend>Your colour</legend>
          {palette.map((option) => (
            <button
              key={option}
              type="button"
              className="swatch"
              data-colour={option}
              aria-label={option}
              aria-pressed={option === colour}
              onClick={() => updateGuest({ colour: option })}
            />
          ))}
        </fieldset>
        <p className="hint">You are a guest: this browser remembers you, and no other.</p>
        <p className="hint">
          <button type="button" className="link-button" onClick={becomeNewGuest}>
            Start over as a new guest
          </button>
          {count > 0 && ", and lose what is not saved yet"}
        </p>
      </div>
    </>
  );
}
