/* The close codes of RFC 6455 that say how a link ended where the server says nothing. From 4000 on they are Tutti's. */

export const CLOSE_NORMAL = 1000;
/** Nobody said why. */
export const CLOSE_ABNORMAL = 1006;
