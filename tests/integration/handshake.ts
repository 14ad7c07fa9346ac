import { request, type IncomingHttpHeaders } from "node:http";

/** What a server answered to a handshake: 101 where it took it. */
export interface HandshakeAnswer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface HandshakeRequest {
  readonly path?: string;
  readonly origin?: string;
  readonly host?: string;
  /** What is offered in `Sec-WebSocket-Protocol`; nothing where it is empty. */
  readonly subprotocols?: string;
}

/** Asks for a WebSocket by hand, and ends it where it was given one. */
export function handshake(port: number, { path = "/v1/connect", origin, host, subprotocols = "tutti.1.json" }: HandshakeRequest = {}): Promise<HandshakeAnswer> {
  return new Promise((resolve, reject) => {
    const asked = request({
      host: "127.0.0.1",
      port,
      path,
      headers: {
        Connection: "Upgrade",
        Upgrade: "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        ...(subprotocols !== "" && { "Sec-WebSocket-Protocol": subprotocols }),
        ...(origin !== undefined && { Origin: origin }),
        ...(host !== undefined && { Host: host }),
      },
    });
    asked.on("error", reject);
    asked.on("upgrade", ({ statusCode, headers }, socket) => {
      socket.destroy();
      resolve({ status: statusCode, headers, body: "" });
    });
    asked.on("response", (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => (body += text));
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, body }));
    });
    asked.end();
  });
}
