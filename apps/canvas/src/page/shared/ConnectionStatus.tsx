import { useEffect, useState, useSyncExternalStore } from "react";
import type { ConnectionInfo } from "tutti/client";
import { client } from "../client.js";
import { useStore } from "./store.js";

/** What the connection is, in words, and what the person can do about it. */
interface Wording {
  readonly tone: "good" | "waiting" | "bad";
  readonly text: string;
  readonly action?: string;
}

function wordingOf(info: ConnectionInfo, isOnline: boolean, secondsLeft: number | undefined): Wording {
  switch (info.status) {
    case "connected":
      return { tone: "good", text: info.latencyMs === undefined ? "Connected" : `Connected · ${Math.max(1, Math.round(info.latencyMs))} ms` };
    case "connecting":
      return { tone: "waiting", text: "Connecting…" };
    case "reconnecting":
      if (!isOnline) return { tone: "waiting", text: "You are offline", action: "Try now" };
      if (secondsLeft === undefined) return { tone: "waiting", text: "Reconnecting…" };
      return { tone: "waiting", text: `Reconnecting, next try in ${secondsLeft} s`, action: "Try now" };
    case "failed":
      return { tone: "bad", text: "The server cannot be reached", action: "Try again" };
    case "disconnected":
    case "closed":
      return info.reason === undefined
        ? { tone: "waiting", text: "Not connected" }
        : { tone: "bad", text: `Disconnected: ${info.reason.message}`, action: "Connect again" };
  }
}

/** Seconds until `time` (Unix ms), counted down. */
function useSecondsUntil(time: number | undefined): number | undefined {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (time === undefined) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 250);
    return () => clearInterval(timer);
  }, [time]);
  return time === undefined ? undefined : Math.max(0, Math.ceil((time - now) / 1000));
}

function useOnline(): boolean {
  return useSyncExternalStore(
    (listener) => {
      window.addEventListener("online", listener);
      window.addEventListener("offline", listener);
      return () => {
        window.removeEventListener("online", listener);
        window.removeEventListener("offline", listener);
      };
    },
    () => navigator.onLine,
  );
}

export function ConnectionStatus() {
  const info = useStore(client.connection);
  const { count } = useStore(client.pending);
  const { tone, text, action } = wordingOf(info, useOnline(), useSecondsUntil(info.retryAt));
  return (
    <div className="connection" data-testid="connection" data-status={info.status} data-tone={tone}>
      <span className="connection-dot" aria-hidden="true" />
      <span>{text}</span>
      {action !== undefined && (
        <button type="button" className="link-button" onClick={() => client.connect()}>
          {action}
        </button>
      )}
      {/* A screen reader hears that the state changed, not every second of the countdown. */}
      <span className="visually-hidden" role="status">
        {info.status === "reconnecting" ? "The connection is lost and will be tried again" : info.status}
      </span>
      {count > 0 && (
        <span className="pending-count" data-testid="pending-count" title="Kept in this browser, also when the page is closed, and sent as soon as there is a connection">
          {count === 1 ? "1 edit" : `${count} edits`} to save
        </span>
      )}
    </div>
  );
}
