// The chat: a panel beside the grid, a sheet over it on a phone.
import { useEffect, useLayoutEffect, useRef, useState, type SubmitEvent } from 'react';
import { MAX_MESSAGE_LENGTH, type ChatMessage } from '../session/chat-log';
import { Icon } from '../ui/icons';
import { hueOf } from '../ui/person';
import { Panel } from './panel';

interface Props {
  messages: readonly ChatMessage[];
  /** Resolves with whether the message went out; if not, it stays in the input. */
  onSend: (text: string) => Promise<boolean>;
  onClose: () => void;
}

export function Chat({ messages, onSend, onClose }: Props) {
  const [text, setText] = useState('');
  const list = useRef<HTMLOListElement>(null);
  const input = useRef<HTMLInputElement>(null);

  useEffect(() => input.current?.focus(), []);

  // New messages scroll into view, unless the person has scrolled up to read older ones.
  const atEnd = useRef(true);
  useLayoutEffect(() => {
    if (atEnd.current) list.current?.scrollTo({ top: list.current.scrollHeight });
  }, [messages]);

  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const message = text.trim();
    if (!message) return;
    setText('');
    atEnd.current = true;
    void onSend(message).then((sent) => {
      if (!sent) setText((typed) => typed || message);
    });
  };

  return (
    <Panel title="Chat" testId="chat-panel" onClose={onClose}>
      <ol
        className="chat-messages"
        ref={list}
        aria-live="polite"
        onScroll={({ currentTarget: l }) => {
          atEnd.current = l.scrollHeight - l.scrollTop - l.clientHeight < 40;
        }}
      >
        {messages.length === 0 && (
          <li className="chat-empty">No messages yet. They are gone when everyone has left.</li>
        )}
        {messages.map((message, index) => (
          <Message key={message.id} message={message} follows={follows(messages[index - 1], message)} />
        ))}
      </ol>
      <form className="chat-form" onSubmit={submit}>
        <input
          ref={input}
          data-testid="chat-input"
          value={text}
          maxLength={MAX_MESSAGE_LENGTH}
          placeholder="Message everyone"
          aria-label="Message"
          autoComplete="off"
          enterKeyHint="send"
          onChange={(event) => setText(event.target.value)}
        />
        <button
          type="submit"
          className="round-button chat-send"
          data-testid="chat-send"
          aria-label="Send"
          title="Send"
          disabled={!text.trim()}
        >
          <Icon name="send" size={22} />
        </button>
      </form>
    </Panel>
  );
}

function Message({ message, follows }: { message: ChatMessage; follows: boolean }) {
  const at = new Date(message.at);
  return (
    <li
      className={`chat-message${message.own ? ' chat-own' : ''}${follows ? ' chat-follows' : ''}`}
      data-testid="chat-message"
      data-from={message.from}
    >
      {!follows && (
        <div className="chat-author">
          {!message.own && (
            <span style={{ color: `oklch(0.8 0.12 ${hueOf(message.from)})` }}>{message.name}</span>
          )}
          <time dateTime={at.toISOString()}>
            {at.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })}
          </time>
        </div>
      )}
      <p>{message.text}</p>
    </li>
  );
}

/** Messages of one person within two minutes share a heading. */
function follows(before: ChatMessage | undefined, message: ChatMessage): boolean {
  return before !== undefined && before.from === message.from && message.at - before.at < 120_000;
}
