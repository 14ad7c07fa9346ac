import { TuttiError } from "@tutti/protocol";

/** What an error of Redis begins with, and what is to be done about it. */
const EXPLAINED: Readonly<Record<string, string>> = {
  NOAUTH: "Redis wants a password: name it in the url or in client.password",
  WRONGPASS: "Redis refuses the name or the password of its user",
  NOPERM: "Redis does not let this user do that: a broker's user needs its keys and channels (~prefix:* &prefix:*) and +@all -@dangerous +info",
  OOM: "Redis has no memory left for another event",
  READONLY: "this Redis is a replica: somebody else is the master now",
  LOADING: "Redis is loading its data",
  BUSY: "Redis is busy with a script",
  MASTERDOWN: "the master of this Redis is down",
  CLUSTERDOWN: "the cluster does not serve all slots",
  TRYAGAIN: "the cluster is moving this slot",
  MISCONF: "Redis takes no writes, since it cannot save them",
  NOREPLICAS: "Redis takes no writes, since it has too few replicas",
};

/** The codes by which Node says that it does not trust a certificate. */
const UNTRUSTED = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "CERT_HAS_EXPIRED",
  "CERT_NOT_YET_VALID",
  "CERT_SIGNATURE_FAILURE",
]);

/** The first word of what Redis said, such as `READONLY`. */
export function redisCodeOf(error: unknown): string {
  return error instanceof Error ? (/^[A-Z]+\b/.exec(error.message)?.[0] ?? "") : "";
}

/** Any failure of the way to Redis or of Redis, as one that may pass: what was asked for may have happened. */
export function unavailable(error: unknown): TuttiError {
  if (error instanceof TuttiError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const explained = explanationOf(error);
  return new TuttiError("UNAVAILABLE", { message: explained === undefined ? `Redis: ${text}` : `${explained} (${text})`, cause: error });
}

function explanationOf(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") return "the certificate of Redis is for another host: connect by a name that it has, or name that in client.socket.servername";
  if (typeof code === "string" && UNTRUSTED.has(code)) return "the certificate of Redis cannot be trusted: name the authority that it is from in client.socket.ca";
  return EXPLAINED[redisCodeOf(error)];
}
