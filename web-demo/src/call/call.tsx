// The call page: header, grid, controls, chat, and what stands there instead before and after the call.
import { RoomAudioRenderer, RoomContext } from '@livekit/components-react';
import { useRef, useState } from 'react';
import type { CallSession } from '../session/connect';
import { useStore } from '../session/store';
import { Chat } from './chat';
import { Controls } from './controls';
import { Grid } from './grid';
import { CallHeader } from './header';
import { Notices } from './notices';
import { Ended, Joining } from './waiting';

interface Props {
  session: CallSession;
  onHome: () => void;
  onRejoin: () => void;
}

export function Call({ session, onHome, onRejoin }: Props) {
  const state = useStore(session);
  const messages = useStore(session.chat);
  const [chatOpen, setChatOpen] = useState(false);
  /** The newest message that was on screen. */
  const [seen, setSeen] = useState<string>();
  const chatButton = useRef<HTMLButtonElement>(null);
  const { room } = session.asked();

  const closeChat = () => {
    setChatOpen(false);
    // Keyboard focus was inside the panel that goes away.
    chatButton.current?.focus();
  };

  const newest = messages.at(-1)?.id;
  if (chatOpen && newest !== seen) setSeen(newest);
  const unread = messages
    .slice(messages.findIndex(({ id }) => id === seen) + 1)
    .filter(({ own }) => !own).length;

  if (state.phase === 'ended') {
    return (
      <div className="call call-idle">
        <Ended state={state} room={room} onHome={onHome} onRejoin={onRejoin} />
      </div>
    );
  }
  if (!state.joinedBefore) {
    return (
      <div className="call call-idle">
        <Joining session={session} state={state} room={room} />
      </div>
    );
  }
  return (
    <RoomContext.Provider value={session.room}>
      <div className={`call${chatOpen ? ' call-chatting' : ''}`} data-testid="call" data-phase={state.phase}>
        <CallHeader room={room} />
        <main className="call-main">
          <Grid settled={state.phase === 'connected'} />
          <Notices session={session} state={state} />
        </main>
        {chatOpen && <Chat messages={messages} onSend={(text) => session.say(text)} onClose={closeChat} />}
        <Controls
          session={session}
          state={state}
          chatOpen={chatOpen}
          chatButton={chatButton}
          unread={chatOpen ? 0 : unread}
          onChat={() => setChatOpen((open) => !open)}
        />
        <RoomAudioRenderer />
      </div>
    </RoomContext.Provider>
  );
}
