// The line above the grid: the room, how many are in it, the view, its link.
import { useEffect, useState } from 'react';
import type { RoomModel } from '../room/model';
import { linkOfRoom } from '../routes';
import { useStore } from '../session/store';
import { Icon } from '../ui/icons';
import { Logo } from '../ui/logo';

export function CallHeader({ room, model }: { room: string; model: RoomModel }) {
  return (
    <header className="call-header">
      <Logo size={28} />
      <h1 title={room}>{room}</h1>
      <Count model={model} />
      <Locked model={model} />
      <ViewSwitch model={model} />
      <CopyLink room={room} />
    </header>
  );
}

function Count({ model }: { model: RoomModel }) {
  const count = useStore(model.people).others.length + 1;
  return (
    <span className="count" aria-label={`${count} in the call`} title={`${count} in the call`}>
      <Icon name="people" size={18} />
      <span data-testid="participant-count">{count}</span>
    </span>
  );
}

function Locked({ model: { desk } }: { model: RoomModel }) {
  const { locked } = useStore(desk);
  if (!locked) return null;
  return (
    <span
      className="count"
      data-testid="locked"
      role="img"
      aria-label="The room is locked"
      title="The room is locked"
    >
      <Icon name="lock" size={17} />
    </span>
  );
}

function ViewSwitch({ model: { scene } }: { model: RoomModel }) {
  const { view } = useStore(scene);
  const label = view === 'grid' ? 'Show who speaks large' : 'Show everyone alike';
  return (
    <button
      type="button"
      className="link-button view-button"
      data-testid="view-button"
      aria-label={label}
      aria-keyshortcuts="G"
      title={`${label} (G)`}
      onClick={() => scene.show(view === 'grid' ? 'speaker' : 'grid')}
    >
      <Icon name={view === 'grid' ? 'speaker' : 'grid'} size={18} />
      <span>{view === 'grid' ? 'Speaker' : 'Grid'}</span>
    </button>
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
      aria-label={said ?? 'Copy link'}
      title="Copy the link to this room"
      onClick={() => void copy()}
    >
      <Icon name={said ? 'check' : 'link'} size={18} />
      <span aria-live="polite">{said ?? 'Copy link'}</span>
    </button>
  );
}
