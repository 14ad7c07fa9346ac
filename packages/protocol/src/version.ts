/** The protocol's version. Raised when a frame changes so that an old peer would misread it. */
export const PROTOCOL_VERSION = 1;

/** The WebSocket subprotocol (RFC 6455, section 1.9) of a codec. */
export function subprotocolOf(codecName: string): string {
  return `tutti.${PROTOCOL_VERSION}.${codecName}`;
}
