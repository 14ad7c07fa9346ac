import type { MouseEvent, ReactNode } from "react";
import { goTo, pathOf, type Route } from "../route.js";

interface LinkProps {
  readonly to: Route;
  readonly className?: string;
  readonly "data-pending"?: boolean;
  readonly children: ReactNode;
}

/** A link that changes the page without loading it anew, and is a plain link to whoever opens it in another tab. */
export function Link({ to, children, ...attributes }: LinkProps) {
  function follow(event: MouseEvent) {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    goTo(to);
  }
  return (
    <a href={pathOf(to)} {...attributes} onClick={follow}>
      {children}
    </a>
  );
}
