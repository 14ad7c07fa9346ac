const paths = {
  back: "M12.5 4.5 7 10l5.5 5.5",
  chat: "M4 5.5h12v8H9l-3.5 3v-3H4z",
  close: "M5.5 5.5l9 9m0-9-9 9",
  connect: "M4.5 14.5 15 5m0 0H9.5M15 5v5.5",
  fit: "M4 7.5V4h3.5M12.5 4H16v3.5M16 12.5V16h-3.5M7.5 16H4v-3.5",
  minus: "M5 10h10",
  pencil: "M4.5 15.5l.7-3.2 8-8 2.5 2.5-8 8z",
  plus: "M10 4.5v11M4.5 10h11",
  redo: "M15.5 8h-7a4.25 4.25 0 0 0 0 8.5H12M12.5 4.5 16 8l-3.5 3.5",
  send: "M4 10h11m0 0-4.5-4.5M15 10l-4.5 4.5",
  tidy: "M4 4.5h4.5V9H4zM11.5 11H16v4.5h-4.5zM11.5 4.5H16V9h-4.5zM4 11h4.5v4.5H4z",
  trash: "M4.5 6h11M8 6V4h4v2M6 6l.7 10h6.6L14 6",
  undo: "M4.5 8h7a4.25 4.25 0 0 1 0 8.5H8M7.5 4.5 4 8l3.5 3.5",
} as const;

/** A drawing that says nothing by itself; the button around it has the label. */
export function Icon({ name }: { readonly name: keyof typeof paths }) {
  return (
    <svg className="icon" viewBox="0 0 20 20" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  );
}
