// What the call has to tell: a banner while the connection is being repaired, notes that can be closed, and the
// button that lets a browser play sound which waits for a click.
import { useStartAudio } from '@livekit/components-react';
import { useMemo } from 'react';
import type { CallSession, SessionState } from '../session/connect';
import { Icon } from '../ui/icons';

export function Notices({ session, state }: { session: CallSession; state: SessionState }) {
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
      <StartAudio />
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
