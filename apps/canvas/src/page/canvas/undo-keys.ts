import { useEffect, useEffectEvent } from "react";
import { redo, undo } from "./actions.js";
import type { BoardModel } from "./useGestures.js";

const isMac = /Mac|iPhone|iPad/.test(navigator.userAgent);

/** The keys, as people of this machine know them. */
export const undoShortcut = isMac ? { undo: "⌘Z", redo: "⇧⌘Z" } : { undo: "Ctrl+Z", redo: "Ctrl+Y" };

/** A text that is being written has an undo of its own. */
function isText(target: EventTarget | null): boolean {
  return target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement;
}

function commandOf({ key, ctrlKey, metaKey, shiftKey, altKey }: KeyboardEvent): typeof undo | undefined {
  if (ctrlKey === metaKey || altKey) return undefined;
  if (key.toLowerCase() === "z") return shiftKey ? redo : undo;
  return key.toLowerCase() === "y" && ctrlKey && !shiftKey ? redo : undefined;
}

/** Undoes and redoes by the keys, wherever on the page the focus is. */
export function useUndoKeys({ editor, gesture }: BoardModel): void {
  const onKeyDown = useEffectEvent((event: KeyboardEvent) => {
    const command = commandOf(event);
    if (command === undefined || isText(event.target)) return;
    event.preventDefault();
    // What lies under the pointer stays there until it is let go.
    if (gesture.kind === "none") command(editor.history);
  });
  useEffect(() => {
    const listener = (event: KeyboardEvent) => onKeyDown(event);
    window.addEventListener("keydown", listener);
    return () => window.removeEventListener("keydown", listener);
  }, []);
}
