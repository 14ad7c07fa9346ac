import { useState, type FormEvent } from "react";
import { newCanvasId } from "../../canvas-id.js";
import type { CanvasEntry } from "../../lobby.js";
import { createCanvas, type LobbyView, type Visitor } from "../lobby.js";
import { goTo } from "../route.js";
import { AgeNote } from "../shared/AgeNote.js";
import { Avatar } from "../shared/Avatar.js";
import { ConnectionStatus } from "../shared/ConnectionStatus.js";
import { GuestMenu } from "../shared/GuestMenu.js";
import { Icon } from "../shared/Icon.js";
import { Link } from "../shared/Link.js";
import { ago } from "../shared/time.js";
import { useNow } from "../shared/useNow.js";

/** All canvases, live: what somebody makes or renames elsewhere shows here, and so does who is where. */
export function ListPage({ lobby, notice }: { readonly lobby: LobbyView; readonly notice: string | undefined }) {
  const now = useNow(30_000);
  const newestFirst = lobby.canvases.toReversed();
  return (
    <div className="list-page">
      <title>Tutti canvas</title>
      <header className="list-header">
        <img className="logo" src="/icon.svg" alt="" />
        <span className="brand">Tutti canvas</span>
        <ConnectionStatus />
        <GuestMenu />
      </header>
      <main className="list-main">
        <h1>Think together.</h1>
        <p className="lead">Put concepts on a canvas, connect them, and see everyone else do the same.</p>
        {notice !== undefined && (
          <p className="notice" role="alert">
            {notice}
          </p>
        )}
        <NewCanvas />
        {lobby.lastLive !== undefined && <AgeNote what="this list" lastLive={lobby.lastLive} />}
        {lobby.canvases.length === 0 ? (
          <p className="empty">{lobby.status === "live" ? "No canvases yet. Make the first one." : "Waiting for the list of canvases…"}</p>
        ) : (
          <ul className="canvases" aria-label="Canvases">
            {newestFirst.map((canvas) => (
              <CanvasItem key={canvas.id} canvas={canvas} isPending={lobby.pending.has(canvas.id)} visitors={lobby.visitors.get(canvas.id) ?? []} now={now} />
            ))}
          </ul>
        )}
      </main>
    </div>
  );
}

function NewCanvas() {
  const [name, setName] = useState("");

  function create(event: FormEvent) {
    event.preventDefault();
    const id = newCanvasId();
    createCanvas(id, name.trim() === "" ? "Untitled canvas" : name);
    goTo({ page: "canvas", id });
  }

  return (
    <form className="new-canvas" onSubmit={create}>
      <input
        type="text"
        maxLength={60}
        placeholder="What is it about?"
        aria-label="Name of the new canvas"
        value={name}
        onChange={(event) => setName(event.target.value)}
      />
      <button type="submit" className="button button-primary">
        <Icon name="plus" />
        New canvas
      </button>
    </form>
  );
}

interface CanvasItemProps {
  readonly canvas: CanvasEntry;
  readonly isPending: boolean;
  readonly visitors: readonly Visitor[];
  readonly now: number;
}

const visitorsShownMax = 5;

function CanvasItem({ canvas, isPending, visitors, now }: CanvasItemProps) {
  return (
    <li data-testid="canvas">
      <Link className="canvas-item" data-pending={isPending} to={{ page: "canvas", id: canvas.id }}>
        <span className="canvas-name">{canvas.name}</span>
        <span className="canvas-made">Made {ago(canvas.createdAt, now)}</span>
        <span className="avatars" title={visitors.map(({ name }) => name).join(", ")}>
          {visitors.slice(0, visitorsShownMax).map(({ key, name, colour }) => (
            <Avatar key={key} name={name} colour={colour} />
          ))}
          {visitors.length > visitorsShownMax && <span className="avatar avatar-more">+{visitors.length - visitorsShownMax}</span>}
          {visitors.length > 0 && <span className="visually-hidden">{visitors.length === 1 ? "1 person is here" : `${visitors.length} people are here`}</span>}
        </span>
      </Link>
    </li>
  );
}
