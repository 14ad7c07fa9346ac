import { makePageCache, type PageBuild } from "./page-cache.js";

/*
 * Shows the page where there is no network. What the page says to the server is none of its business: that waits in the page's own queue.
 */

/** Written in front of this file when the page is built. */
declare const pageBuild: PageBuild;
declare const self: ServiceWorkerGlobalScope;

const cache = makePageCache(pageBuild, self.location.origin, caches);

// An open page has loaded all that it needs, so the worker of the next build does not wait for it to be closed.
self.addEventListener("install", (event) => event.waitUntil(cache.keep().then(() => self.skipWaiting())));
// The page of the first visit takes part: a picture that it shows later comes from here as well.
self.addEventListener("activate", (event) => event.waitUntil(Promise.all([cache.forgetOthers(), self.clients.claim()])));
self.addEventListener("fetch", (event) => {
  const { request } = event;
  const load = () => fetch(request);
  switch (cache.wayOf(request)) {
    case "page":
      return event.respondWith(cache.page(load));
    case "file":
      return event.respondWith(cache.file(new URL(request.url).pathname, load));
    case "network":
      return;
  }
});
