import { createStore, useStore } from "./shared/store.js";

/** Where the page is. The address says it, so that every canvas has a link. */
export type Route = { readonly page: "list"; readonly notice?: string } | { readonly page: "canvas"; readonly id: string };

function routeOf(path: string): Route {
  const id = /^\/c\/([\w-]{1,64})\/?$/.exec(path)?.[1];
  return id === undefined ? { page: "list" } : { page: "canvas", id };
}

export function pathOf(route: Route): string {
  return route.page === "list" ? "/" : `/c/${route.id}`;
}

const route = createStore(routeOf(location.pathname));
window.addEventListener("popstate", () => route.set(routeOf(location.pathname)));

/** Goes to another page. `replace` leaves no step back, for a page that turned out not to exist. */
export function goTo(next: Route, mode: "push" | "replace" = "push"): void {
  if (mode === "push") history.pushState(null, "", pathOf(next));
  else history.replaceState(null, "", pathOf(next));
  route.set(next);
}

export function useRoute(): Route {
  return useStore(route);
}
