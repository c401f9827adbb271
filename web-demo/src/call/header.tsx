// The line above the grid: the room, its link, how many are in it.
import { useParticipants } from '@livekit/components-react';
import { RoomEvent } from 'livekit-client';
import { useEffect, useState } from 'react';
import { linkOfRoom } from '../routes';
import { Icon } from '../ui/icons';
import { Logo } from '../ui/logo';

// Only who comes and goes matters here, not who speaks.
const COMINGS_AND_GOINGS = {
  updateOnlyOn: [RoomEvent.ParticipantConnected, RoomEvent.ParticipantDisconnected],
};

export function CallHeader({ room }: { room: string }) {
  const count = useParticipants(COMINGS_AND_GOINGS).length;
  return (
    <header className="call-header">
      <Logo size={28} />
      <h1 title={room}>{room}</h1>
      <span className="count" aria-label={`${count} in the call`} title={`${count} in the call`}>
        <Icon name="people" size={18} />
        <span data-testid="participant-count">{count}</span>
      </span>
      <CopyLink room={room} />
    </header>
  );
}

function CopyLink({ room }: { room: string }) {
  const [said, setSaid] = useState<string>();
  useEffect(() => {
    if (!said) return;
    const timer = setTimeout(() => setSaid(undefined), 2500);
    return () => clearTimeout(timer);
  }, [said]);

  const copy = async () => {
    const link = linkOfRoom(room);
    try {
      await navigator.clipboard.writeText(link);
      setSaid('Link copied');
    } catch {
      // No clipboard on insecure pages, or it was refused: show the link to copy by hand.
      window.prompt('The link to this room:', link);
    }
  };

  return (
    <button
      type="button"
      className={`link-button${said ? ' link-copied' : ''}`}
      data-testid="room-link"
      data-link={linkOfRoom(room)}
      title="Copy the link to this room"
      onClick={() => void copy()}
    >
      <Icon name={said ? 'check' : 'link'} size={18} />
      <span aria-live="polite">{said ?? 'Copy link'}</span>
    </button>
  );
}
