import { memo, useRef, type KeyboardEvent } from "react";
import type { Concept } from "../../canvas.js";
import type { Colour } from "../../palette.js";

/** Somebody else who has selected the concept. */
export interface Selector {
  readonly name: string;
  readonly colour: Colour;
}

interface ConceptCardProps {
  readonly concept: Concept;
  readonly x: number;
  readonly y: number;
  /** `editing` is `selected` with its text being written. */
  readonly mode: "resting" | "selected" | "editing";
  readonly isPending: boolean;
  readonly selectors: readonly Selector[];
  /** Watches the size of the card. */
  readonly measure: (card: HTMLElement) => () => void;
  /** The text that was written, or `undefined` where nothing was changed. */
  readonly onEdited: (id: string, text: string | undefined) => void;
}

export const ConceptCard = memo(function ConceptCard({ concept, x, y, mode, isPending, selectors, measure, onEdited }: ConceptCardProps) {
  const first = selectors[0];
  return (
    <article
      ref={(card) => (card === null ? undefined : measure(card))}
      className="concept"
      data-testid="concept"
      data-hit="concept"
      data-id={concept.id}
      data-colour={concept.colour}
      data-mode={mode}
      data-pending={isPending}
      tabIndex={0}
      aria-label={`Concept: ${concept.text}${mode === "resting" ? "" : ", selected"}${isPending ? ", not saved yet" : ""}`}
      style={{ transform: `translate(${x}px, ${y}px) translate(-50%, -50%)` }}
    >
      {mode === "editing" ? (
        <TextEditor text={concept.text} onDone={(text) => onEdited(concept.id, text)} />
      ) : (
        <span className="concept-text">{concept.text}</span>
      )}
      <span className="concept-handle" data-hit="handle" data-id={concept.id} title="Drag to another concept to connect them" />
      {first && (
        <span className="concept-selected-by" data-colour={first.colour} data-testid="selected-by">
          <span>{selectors.map(({ name }) => name).join(", ")}</span>
        </span>
      )}
    </article>
  );
});

/** Enter and a click elsewhere keep what was written, Escape does not. */
function TextEditor({ text, onDone }: { readonly text: string; readonly onDone: (text: string | undefined) => void }) {
  const isDone = useRef(false);

  function finish(written: string | undefined) {
    // The editor loses the focus when it goes, and would finish a second time.
    if (isDone.current) return;
    isDone.current = true;
    const trimmed = written?.trim() ?? "";
    onDone(trimmed === "" || trimmed === text ? undefined : trimmed);
  }

  function onKeyDown(event: KeyboardEvent<HTMLTextAreaElement>) {
    event.stopPropagation();
    if (event.key === "Escape") finish(undefined);
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      finish(event.currentTarget.value);
    }
  }

  return (
    <textarea
      className="concept-editor"
      aria-label="Text of the concept"
      defaultValue={text}
      maxLength={140}
      rows={1}
      autoFocus
      onFocus={(event) => event.currentTarget.select()}
      onBlur={(event) => finish(event.currentTarget.value)}
      onKeyDown={onKeyDown}
    />
  );
}
