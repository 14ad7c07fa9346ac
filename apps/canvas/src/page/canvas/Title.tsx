import { useState, type KeyboardEvent } from "react";

interface TitleProps {
  readonly name: string;
  readonly onRename: (name: string) => void;
}

/** The name of the canvas; a click on it changes it. */
export function Title({ name, onRename }: TitleProps) {
  const [isEditing, setEditing] = useState(false);

  function finish(written: string) {
    setEditing(false);
    const trimmed = written.trim();
    if (trimmed !== "" && trimmed !== name) onRename(trimmed);
  }

  function onKeyDown(event: KeyboardEvent<HTMLInputElement>) {
    if (event.key === "Enter") finish(event.currentTarget.value);
    if (event.key === "Escape") setEditing(false);
  }

  if (!isEditing) {
    return (
      <h1 className="title">
        <button type="button" title="Rename the canvas" onClick={() => setEditing(true)}>
          {name}
        </button>
      </h1>
    );
  }
  return (
    <input
      className="title-editor"
      type="text"
      aria-label="Name of the canvas"
      maxLength={60}
      defaultValue={name}
      autoFocus
      onFocus={(event) => event.currentTarget.select()}
      onBlur={(event) => finish(event.currentTarget.value)}
      onKeyDown={onKeyDown}
    />
  );
}
