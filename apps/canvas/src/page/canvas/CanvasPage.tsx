import { useEffect, useMemo, useRef, useState } from "react";
import type { SubscriptionInfo } from "tutti/client";
import { isCanvasId } from "../../canvas-id.js";
import { createCanvas, renameCanvas, type LobbyView } from "../lobby.js";
import { useGuest } from "../guest.js";
import { goTo } from "../route.js";
import { AgeNote } from "../shared/AgeNote.js";
import { ConnectionStatus } from "../shared/ConnectionStatus.js";
import { GuestMenu } from "../shared/GuestMenu.js";
import { Icon } from "../shared/Icon.js";
import { useLastLive } from "../shared/last-live.js";
import { Link } from "../shared/Link.js";
import { reasonOf } from "../shared/refusal.js";
import { useStore } from "../shared/store.js";
import { tell } from "../shared/toast.js";
import { useSubscription } from "../subscription.js";
import { Board } from "./Board.js";
import { cameraOver, startCamera, type Camera } from "./camera.js";
import { Chat } from "./Chat.js";
import { Dock } from "./Dock.js";
import { editorOf, type CanvasChannel, type Editor } from "./editor.js";
import { noGesture, type Gesture } from "./gesture.js";
import { useOtherDevices } from "./others.js";
import { onBoardKey } from "./keys.js";
import { People } from "./People.js";
import { Title } from "./Title.js";
import { useUndoKeys } from "./undo-keys.js";
import type { BoardModel } from "./useGestures.js";
import { ZoomControls } from "./ZoomControls.js";

interface CanvasPageProps {
  readonly id: string;
  readonly lobby: LobbyView;
}

export function CanvasPage({ id, lobby }: CanvasPageProps) {
  const editor = useMemo(() => editorOf(id), [id]);
  const { channel } = editor;
  const model = useBoardModel(editor);
  const { selection, setCamera } = model;
  const { people, complete } = useStore(channel.presence);
  const status = useStore(channel.status);
  const canvas = useStore(channel.state);
  const others = useOtherDevices(people);
  const self = people.find((person) => person.devices.some((device) => device.self));
  const name = useName(id, lobby);
  const isLive = status.status === "live";
  const lastLive = useLastLive(channel);
  const [isChatOpen, setChatOpen] = useState(() => window.innerWidth >= 1100);

  useSubscription(channel, useOwnPresence(selection, model.camera));
  useRefusal(id, status);
  useLossNotice(channel);
  useUndoKeys(model);
  useFirstView(model, isLive || canvas.concepts.length > 0);

  return (
    <div className="canvas-page" data-people={complete ? "known" : "stale"}>
      <title>{`${name} · Tutti canvas`}</title>
      <header className="topbar">
        <Link className="back" to={{ page: "list" }}>
          <Icon name="back" />
          <span>All canvases</span>
        </Link>
        <Title name={name} onRename={(next) => renameCanvas(id, next)} />
        <ConnectionStatus />
        <People people={people.filter((person) => person !== self)} onVisit={(view) => setCamera(() => view)} />
        <GuestMenu devices={self?.devices.length ?? 1} />
        <button type="button" className="icon-button" aria-label="Chat" aria-pressed={isChatOpen} onClick={() => setChatOpen(!isChatOpen)}>
          <Icon name="chat" />
        </button>
      </header>
      <main className="stage" onKeyDown={(event) => onBoardKey(model, event)}>
        <Board model={model} canvas={canvas} pending={usePendingIds(channel)} others={others} />
        {canvas.concepts.length === 0 && (
          // A canvas that was made here without a connection is known to be empty.
          <p className="stage-hint">{isLive || lobby.pending.has(id) ? "Double-click anywhere to add a concept" : "Opening the canvas…"}</p>
        )}
        {lastLive !== undefined && <AgeNote what="this canvas" lastLive={lastLive} />}
        <Dock model={model} />
        <ZoomControls model={model} />
      </main>
      {isChatOpen && <Chat channel={channel} messages={canvas.chat} others={others} onClose={() => setChatOpen(false)} />}
    </div>
  );
}

/** What this person looks at, has selected and does; nobody else's business but through presence and events. */
function useBoardModel(editor: Editor): BoardModel {
  const board = useRef<HTMLDivElement>(null);
  const [camera, setCamera] = useState<Camera>(startCamera);
  const [chosen, setSelection] = useState<readonly string[]>([]);
  const [gesture, setGesture] = useState<Gesture>(noGesture);
  const { concepts, arrows } = useStore(editor.channel.state);
  // Somebody else may have deleted what was selected here.
  const selection = useMemo(() => {
    const ids = new Set([...concepts, ...arrows].map((thing) => thing.id));
    return chosen.every((id) => ids.has(id)) ? chosen : chosen.filter((id) => ids.has(id));
  }, [chosen, concepts, arrows]);
  return { board, editor, camera, setCamera, selection, setSelection, gesture, setGesture };
}

const viewSettlesMs = 250;

/** What the others see of this person. The view follows once it stands still. */
function useOwnPresence(selection: readonly string[], camera: Camera) {
  const { name, colour } = useGuest();
  const [view, setView] = useState(camera);
  useEffect(() => {
    const timer = setTimeout(() => setView(camera), viewSettlesMs);
    return () => clearTimeout(timer);
  }, [camera]);
  return useMemo(() => ({ name, colour, selection: [...selection], view }), [name, colour, selection, view]);
}

/** The name of the canvas, and its place on the list. */
function useName(id: string, { status, canvases }: LobbyView): string {
  const listed = canvases.find((canvas) => canvas.id === id)?.name;
  const last = useRef("Untitled canvas");
  useEffect(() => {
    if (listed !== undefined) last.current = listed;
    // The list has room for so many, and a server may lose what it kept: whoever is on a canvas puts it there again.
    else if (status === "live" && isCanvasId(id)) createCanvas(id, last.current);
  }, [id, listed, status]);
  return listed ?? last.current;
}

/** Leads away from a canvas that does not exist, or that this person was taken out of. */
function useRefusal(id: string, { status, error }: SubscriptionInfo): void {
  useEffect(() => {
    if (status !== "refused" && status !== "left") return;
    const notice = error?.code === "ROOM_NOT_FOUND" ? `There is no canvas “${id}”. These are the ones there are.` : reasonOf(error);
    goTo({ page: "list", notice }, "replace");
  }, [id, status, error]);
}

/** Says when the server no longer has what it had saved. */
function useLossNotice(channel: CanvasChannel): void {
  useEffect(
    () =>
      channel.on("gap", ({ from, to }) => {
        if (from.epoch !== to.epoch) tell("The server has lost a part of what it had kept. Edits that were waiting are saved now.");
      }),
    [channel],
  );
}

/** Shows the whole canvas when it opens. */
function useFirstView({ board, editor, setCamera }: BoardModel, isKnown: boolean): void {
  const isShown = useRef(false);
  useEffect(() => {
    const rect = board.current?.getBoundingClientRect();
    if (!isKnown || isShown.current || rect === undefined) return;
    isShown.current = true;
    setCamera(() => cameraOver(editor.channel.state.getSnapshot().concepts, rect));
  }, [board, editor, setCamera, isKnown]);
}

/** The ids of what has a change that the server has not confirmed. */
function usePendingIds(channel: CanvasChannel): ReadonlySet<string> {
  const pending = useStore(channel.pending);
  return useMemo(() => new Set(pending.flatMap(({ payload }) => ("id" in payload ? [payload.id] : []))), [pending]);
}
