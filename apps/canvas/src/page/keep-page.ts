/** Lets the page open without a network from now on. Once it is loaded, so that keeping it does not slow down showing it. */
export function keepPage(): void {
  if (!import.meta.env.PROD || !("serviceWorker" in navigator)) return;
  const register = () => {
    navigator.serviceWorker.register("/service-worker.js").catch(() => {
      // Not allowed here, in a private window or without https: then the page needs a network, as any other does.
    });
  };
  if (document.readyState === "complete") register();
  else window.addEventListener("load", register, { once: true });
}
