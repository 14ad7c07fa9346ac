/** Where links over HTTP are opened, beside the WebSockets of the URL. In a page `/v1/connect` is enough of one. @throws TypeError where it is none */
export function connectionsUrl(url: string): string {
  const absolute = new URL(url, typeof location === "undefined" ? undefined : location.href);
  absolute.protocol = absolute.protocol.replace("ws", "http");
  return new URL("connections", absolute).href;
}
