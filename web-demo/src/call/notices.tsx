// What the call has to tell: a banner while the connection is being repaired, notes that can be closed, and the
// button that lets a browser play sound which waits for a click.
import { useStartAudio } from '@livekit/components-react';
import { useMemo } from 'react';
import type { CallSession, SessionState } from '../session/connect';
import { useStore } from '../session/store';
import { Icon } from '../ui/icons';

interface Props {
  session: CallSession;
  state: SessionState;
  /** Opens the list of people, unless it is open. */
  onPeople: (() => void) | undefined;
}

export function Notices({ session, state, onPeople }: Props) {
  const { banner, notices, joinedBefore } = state;
  return (
    <div className="notices">
      {banner && joinedBefore && (
        <div className="notice notice-banner" role="alert" data-testid="notice" data-kind={banner.kind}>
          <span className="spinner" aria-hidden="true" />
          <div>
            <strong>{banner.title}</strong>
            <p>{banner.text}</p>
          </div>
        </div>
      )}
      {notices.map((notice) => (
        <div key={notice.kind} className="notice" role="status" data-testid="notice" data-kind={notice.kind}>
          {(notice.kind === 'mic' || notice.kind === 'camera') && (
            <Icon name={notice.kind === 'mic' ? 'mic-off' : 'camera-off'} />
          )}
          <div>
            <strong>{notice.title}</strong>
            <p>{notice.text}</p>
          </div>
          <button
            type="button"
            className="plain-button"
            aria-label="Close this note"
            onClick={() => session.dismiss(notice.kind)}
          >
            <Icon name="close" size={20} />
          </button>
        </div>
      ))}
      {onPeople && <Knock session={session} onPeople={onPeople} />}
      <StartAudio />
    </div>
  );
}

/** Tells a host who waits at the door. */
function Knock({ session, onPeople }: { session: CallSession; onPeople: () => void }) {
  const { waiting } = useStore(session.model.people);
  const [first, ...rest] = waiting;
  if (!first) return null;
  return (
    <div className="notice" role="status" data-testid="notice" data-kind="waiting">
      <Icon name="door" />
      <div>
        <strong>
          {rest.length === 0
            ? `${first.name} is waiting`
            : `${first.name} and ${rest.length} more are waiting`}
        </strong>
        <p>Nobody sees or hears them before you let them in.</p>
      </div>
      {rest.length === 0 && (
        <button
          type="button"
          className="small-button small-primary"
          data-testid="admit-first"
          onClick={() => void session.model.desk.admit(first.identity)}
        >
          Admit
        </button>
      )}
      <button type="button" className="small-button" data-testid="see-waiting" onClick={onPeople}>
        See
      </button>
    </div>
  );
}

function StartAudio() {
  const props = useMemo(() => ({ className: 'button button-primary start-audio' }), []);
  const { mergedProps, canPlayAudio } = useStartAudio({ props });
  if (canPlayAudio) return null;
  return (
    <button type="button" {...mergedProps} style={undefined} data-testid="start-audio">
      <Icon name="sound" size={20} /> Click to hear the others
    </button>
  );
}
