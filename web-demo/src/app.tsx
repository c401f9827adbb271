// Decides what is on the page: the home page (with or without a room chosen by link) or a call.
import { useCallback, useEffect, useState } from 'react';
import { Call } from './call/call';
import { Home } from './home/home';
import { roomOfPath } from './routes';
import type { CallSession } from './session/connect';
import { enter, type Entry } from './session/enter';

/** `initial`: the call that the address led straight into. */
export function App({ initial }: { initial: CallSession | undefined }) {
  const [session, setSession] = useState(initial);
  const [linkedRoom, setLinkedRoom] = useState(() => roomOfPath(window.location.pathname));

  const join = useCallback((entry: Entry) => {
    setSession(enter(entry));
    setLinkedRoom(entry.room);
  }, []);

  const goHome = useCallback(() => {
    window.history.pushState(null, '', '/');
    setSession(undefined);
    setLinkedRoom(undefined);
  }, []);

  // The browser's Back button leaves the call.
  useEffect(() => {
    const onNavigate = () => {
      session?.leave();
      setSession(undefined);
      setLinkedRoom(roomOfPath(window.location.pathname));
    };
    window.addEventListener('popstate', onNavigate);
    return () => window.removeEventListener('popstate', onNavigate);
  }, [session]);

  useEffect(() => {
    document.title = linkedRoom ? `${linkedRoom} · Ramai` : 'Ramai';
  }, [linkedRoom]);

  if (session) {
    return <Call key={session.id} session={session} onHome={goHome} onRejoin={() => join(session.asked())} />;
  }
  return <Home key={linkedRoom ?? ''} linkedRoom={linkedRoom} onJoin={join} onHome={goHome} />;
}
