// What a host finds above the list of people: mute all, the door, the waiting room, links that decide who speaks.
import { useEffect, useState } from 'react';
import type { HostDesk } from '../room/host-desk';
import type { InviteRole } from '../room/moderation';
import { linkOfRoom } from '../routes';
import { useStore } from '../session/store';
import { Icon, type IconName } from '../ui/icons';

export function HostTools({ desk, room }: { desk: HostDesk; room: string }) {
  const { locked, waitingRoom } = useStore(desk);
  return (
    <section className="host-tools" aria-label="For hosts" data-testid="host-tools">
      <Switch
        testId="lock-switch"
        icon="lock"
        label="Lock the room"
        on={locked}
        onChange={(on) => void desk.setRoom({ locked: on })}
      />
      <Switch
        testId="waiting-room-switch"
        icon="door"
        label="Waiting room"
        on={waitingRoom}
        onChange={(on) => void desk.setRoom({ waitingRoom: on })}
      />
      <div className="host-buttons">
        <button
          type="button"
          className="small-button"
          data-testid="mute-all"
          onClick={() => void desk.muteAll()}
        >
          <Icon name="mic-off" size={17} /> Mute all
        </button>
        <InviteButton desk={desk} room={room} role="speaker" label="Speaker link" />
        <InviteButton desk={desk} room={room} role="listener" label="Listener link" />
      </div>
    </section>
  );
}

interface SwitchProps {
  testId: string;
  icon: IconName;
  label: string;
  on: boolean;
  onChange: (on: boolean) => void;
}

function Switch({ testId, icon, label, on, onChange }: SwitchProps) {
  return (
    <label className="switch">
      <Icon name={icon} size={18} />
      <span>{label}</span>
      <input
        type="checkbox"
        role="switch"
        data-testid={testId}
        checked={on}
        onChange={(event) => onChange(event.target.checked)}
      />
    </label>
  );
}

interface InviteProps {
  desk: HostDesk;
  room: string;
  role: InviteRole;
  label: string;
}

function InviteButton({ desk, room, role, label }: InviteProps) {
  const [link, setLink] = useState<string>();
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 2500);
    return () => clearTimeout(timer);
  }, [copied]);

  const copy = async () => {
    const invite = await desk.invite(role);
    if (invite === undefined) return;
    const made = linkOfRoom(room, invite);
    setLink(made);
    try {
      await navigator.clipboard.writeText(made);
      setCopied(true);
    } catch {
      // No clipboard on insecure pages, or it was refused: show the link to copy by hand.
      window.prompt(`A link for one who comes as a ${role}:`, made);
    }
  };

  return (
    <button
      type="button"
      className="small-button"
      data-testid={`invite-${role}`}
      data-link={link}
      title={`Copy a link whose holder comes in as a ${role}`}
      onClick={() => void copy()}
    >
      <Icon name={copied ? 'check' : 'link'} size={17} />
      <span aria-live="polite">{copied ? 'Copied' : label}</span>
    </button>
  );
}
