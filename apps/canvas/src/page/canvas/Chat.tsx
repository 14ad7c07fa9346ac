import { useEffect, useRef, useState, type FormEvent } from "react";
import type { Message } from "../../canvas.js";
import { Icon } from "../shared/Icon.js";
import { useStore } from "../shared/store.js";
import { timeOfDay } from "../shared/time.js";
import { say } from "./actions.js";
import type { CanvasChannel } from "./editor.js";
import type { CanvasDevice } from "./others.js";

interface ChatProps {
  readonly channel: CanvasChannel;
  readonly messages: readonly Message[];
  readonly others: readonly CanvasDevice[];
  readonly onClose: () => void;
}

export function Chat({ channel, messages, others, onClose }: ChatProps) {
  // Pending events stand on top of canonical state, so the messages that wait are the last ones.
  const waiting = useStore(channel.pending).filter(({ type }) => type === "chat:post").length;
  const end = useRef<HTMLDivElement>(null);
  const newest = messages.at(-1)?.id;
  useEffect(() => {
    end.current?.scrollIntoView({ block: "end" });
  }, [newest]);

  return (
    <aside className="chat" aria-label="Chat">
      <header className="chat-header">
        <h2>Chat</h2>
        <button type="button" className="icon-button" aria-label="Close the chat" onClick={onClose}>
          <Icon name="close" />
        </button>
      </header>
      <div className="chat-messages" role="log" aria-label="Messages">
        {messages.length === 0 && <p className="hint">Nothing said yet. What you write stays with the canvas.</p>}
        {messages.map((message, index) => (
          <MessageItem key={message.id} message={message} previous={messages[index - 1]} isPending={index >= messages.length - waiting} />
        ))}
        <div ref={end} />
      </div>
      <Typing channel={channel} others={others} />
      <Composer channel={channel} />
    </aside>
  );
}

const sameBreathMs = 120_000;

interface MessageItemProps {
  readonly message: Message;
  readonly previous: Message | undefined;
  readonly isPending: boolean;
}

function MessageItem({ message, previous, isPending }: MessageItemProps) {
  const continues = previous !== undefined && previous.user === message.user && previous.name === message.name && message.at - previous.at < sameBreathMs;
  return (
    <div className="message" data-testid="message" data-pending={isPending} data-continues={continues} data-colour={message.colour}>
      {!continues && (
        <p className="message-by">
          <b>{message.name}</b>
          <time dateTime={new Date(message.at).toISOString()}>{timeOfDay(message.at)}</time>
        </p>
      )}
      <p className="message-text">{message.text}</p>
    </div>
  );
}

function Typing({ channel, others }: { readonly channel: CanvasChannel; readonly others: readonly CanvasDevice[] }) {
  const sessions = useStore(channel.typing).map(({ session }) => session);
  const names = [...new Set(others.filter(({ session }) => sessions.includes(session)).map(({ state }) => state.name))];
  return (
    <p className="typing" data-testid="typing" aria-live="polite">
      {names.length > 0 && (
        <>
          <span className="typing-dots" aria-hidden="true">
            <i />
            <i />
            <i />
          </span>
          {typingSentence(names)}
        </>
      )}
    </p>
  );
}

function typingSentence(names: readonly string[]): string {
  if (names.length === 1) return `${names[0]} is typing`;
  if (names.length === 2) return `${names[0]} and ${names[1]} are typing`;
  return "Several people are typing";
}

function Composer({ channel }: { readonly channel: CanvasChannel }) {
  const [text, setText] = useState("");

  function write(value: string) {
    setText(value);
    if (value.trim() === "") channel.typing.stop();
    else channel.typing.start();
  }

  function send(event: FormEvent) {
    event.preventDefault();
    if (text.trim() === "") return;
    say(channel, text);
    write("");
  }

  return (
    <form className="composer" onSubmit={send}>
      <input
        type="text"
        aria-label="Message"
        placeholder="Say something"
        autoComplete="off"
        maxLength={500}
        value={text}
        onChange={(event) => write(event.target.value)}
        onBlur={() => channel.typing.stop()}
      />
      <button type="submit" className="icon-button" aria-label="Send" disabled={text.trim() === ""}>
        <Icon name="send" />
      </button>
    </form>
  );
}
