// The call page without a call: on the way in, or after its end.
import type { CallSession, SessionState } from '../session/connect';
import { Icon } from '../ui/icons';
import { Logo } from '../ui/logo';

export function Joining({
  session,
  state,
  room,
}: {
  session: CallSession;
  state: SessionState;
  room: string;
}) {
  const { banner } = state;
  return (
    <div className="waiting" aria-live="polite">
      <Logo size={56} />
      {banner ? (
        <div className="waiting-words" data-testid="notice" data-kind={banner.kind} role="alert">
          <h1>{banner.title}</h1>
          <p>{banner.text}</p>
        </div>
      ) : (
        <div className="waiting-words">
          <h1>Joining {room}…</h1>
        </div>
      )}
      <span className="spinner" aria-hidden="true" />
      <div className="waiting-actions">
        {banner && (
          <button type="button" className="button button-primary" onClick={session.retryNow}>
            <Icon name="refresh" size={20} /> Try now
          </button>
        )}
        <button type="button" className="button" data-testid="leave-button" onClick={session.leave}>
          Leave
        </button>
      </div>
    </div>
  );
}

/** In the waiting room: connected, and let in as soon as a host says so. */
export function AtTheDoor({ session, room }: { session: CallSession; room: string }) {
  return (
    <div className="waiting" aria-live="polite" data-testid="at-the-door">
      <Logo size={56} />
      <div className="waiting-words">
        <h1>You will be let in soon</h1>
        <p>The hosts of {room} see that you are here. Nobody sees or hears you yet.</p>
      </div>
      <span className="spinner" aria-hidden="true" />
      <div className="waiting-actions">
        <button type="button" className="button" data-testid="leave-button" onClick={session.leave}>
          Leave
        </button>
      </div>
    </div>
  );
}

interface EndedProps {
  state: SessionState;
  room: string;
  onHome: () => void;
  onRejoin: () => void;
}

export function Ended({ state, room, onHome, onRejoin }: EndedProps) {
  const problem = state.endedBy;
  return (
    <div className="waiting" data-testid="ended">
      <Logo size={56} />
      {problem ? (
        <div className="waiting-words" data-testid="notice" data-kind={problem.kind} role="alert">
          <h1>{problem.title}</h1>
          <p>{problem.text}</p>
        </div>
      ) : (
        <div className="waiting-words">
          <h1>You left the call</h1>
          <p>The room {room} is still there for whoever has the link.</p>
        </div>
      )}
      <div className="waiting-actions">
        <button
          type="button"
          className="button button-primary"
          data-testid="rejoin-button"
          onClick={onRejoin}
          autoFocus
        >
          {state.joinedBefore || !problem ? 'Rejoin' : 'Try again'}
        </button>
        <button type="button" className="button" data-testid="home-button" onClick={onHome}>
          Home
        </button>
      </div>
    </div>
  );
}
