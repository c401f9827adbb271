// The call page: header, grid, controls, chat or people, and what stands there instead before and after the call.
import { RoomContext } from '@livekit/components-react';
import { useRef, useState } from 'react';
import { isWaiting } from '../room/person';
import type { CallSession } from '../session/connect';
import { useStore } from '../session/store';
import { Chat } from './chat';
import { Controls, type Side } from './controls';
import { Grid } from './grid';
import { CallHeader } from './header';
import { Notices } from './notices';
import { useParticipantValue } from './participant-value';
import { PeoplePanel } from './people-panel';
import { AtTheDoor, Ended, Joining } from './waiting';

interface Props {
  session: CallSession;
  onHome: () => void;
  onRejoin: () => void;
}

export function Call({ session, onHome, onRejoin }: Props) {
  const state = useStore(session);
  const messages = useStore(session.chat);
  const atTheDoor = useParticipantValue(session.room.localParticipant, isWaiting);
  const [side, setSide] = useState<Side>();
  /** The newest message that was on screen. */
  const [seen, setSeen] = useState<string>();
  const sideButton = { chat: useRef<HTMLButtonElement>(null), people: useRef<HTMLButtonElement>(null) };
  const { room } = session.asked();

  const toggleSide = (which: Side) => setSide((open) => (open === which ? undefined : which));
  const closeSide = () => {
    setSide(undefined);
    // Keyboard focus was inside the panel that goes away.
    if (side) sideButton[side].current?.focus();
  };

  const newest = messages.at(-1)?.id;
  if (side === 'chat' && newest !== seen) setSeen(newest);
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
  if (atTheDoor && state.phase === 'connected') {
    return (
      <div className="call call-idle">
        <AtTheDoor session={session} room={room} />
      </div>
    );
  }
  return (
    <RoomContext.Provider value={session.room}>
      <div className="call" data-testid="call" data-phase={state.phase}>
        <CallHeader room={room} model={session.model} />
        <main className="call-main">
          <Grid model={session.model} settled={state.phase === 'connected'} />
          <Notices
            session={session}
            state={state}
            onPeople={side === 'people' ? undefined : () => setSide('people')}
          />
        </main>
        {side === 'chat' && (
          <Chat messages={messages} onSend={(text) => session.say(text)} onClose={closeSide} />
        )}
        {side === 'people' && <PeoplePanel model={session.model} room={room} onClose={closeSide} />}
        <Controls
          session={session}
          state={state}
          side={side}
          sideButton={sideButton}
          unread={side === 'chat' ? 0 : unread}
          onSide={toggleSide}
        />
      </div>
    </RoomContext.Provider>
  );
}
