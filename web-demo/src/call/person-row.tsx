// One line of the list of people: who, with what on, and what a host may do about it.
import { Track } from 'livekit-client';
import { memo } from 'react';
import type { RoomModel } from '../room/model';
import type { Person } from '../room/person';
import { Avatar } from '../ui/avatar';
import { Icon, type IconName } from '../ui/icons';

interface Props {
  person: Person;
  model: RoomModel;
  asHost: boolean;
  onRemove: (person: Person) => void;
}

const ROLE = { host: 'Host', speaker: '', listener: 'Listener' };

export const PersonRow = memo(function PersonRow({ person, model, asHost, onRemove }: Props) {
  const { identity, name, local, role, hand, mic, camera, speaking } = person;
  const desk = asHost && !local ? model.desk : undefined;
  const talks = role !== 'listener' || mic;
  return (
    <div
      className={`person${speaking ? ' person-speaking' : ''}`}
      data-testid="person"
      data-identity={identity}
    >
      <Avatar identity={identity} name={name} />
      <span className="person-name">
        <span>{local ? `${name} (you)` : name}</span>
        {ROLE[role] && <small>{ROLE[role]}</small>}
      </span>
      {hand > 0 && (
        <Sign
          icon="hand"
          kind="hand"
          state="Hand raised"
          act={desk && `Lower ${name}’s hand`}
          testId="lower-hand"
          onClick={() => desk?.lowerHand(identity)}
        />
      )}
      {talks && (
        <Sign
          icon={mic ? 'mic' : 'mic-off'}
          kind={mic ? 'on' : 'off'}
          state={mic ? 'Microphone on' : 'Microphone off'}
          act={desk && mic && `Mute ${name}`}
          testId="mute-person"
          onClick={() => desk?.mute(identity, Track.Source.Microphone)}
        />
      )}
      {talks && (
        <Sign
          icon={camera ? 'camera' : 'camera-off'}
          kind={camera ? 'on' : 'off'}
          state={camera ? 'Camera on' : 'Camera off'}
          act={desk && camera && `Stop ${name}’s camera`}
          testId="stop-camera"
          onClick={() => desk?.mute(identity, Track.Source.Camera)}
        />
      )}
      {desk && (
        <button
          type="button"
          className="sign sign-remove"
          data-testid="remove-person"
          aria-label={`Remove ${name}`}
          title={`Remove ${name}`}
          onClick={() => onRemove(person)}
        >
          <Icon name="remove" size={19} />
        </button>
      )}
    </div>
  );
});

interface SignProps {
  icon: IconName;
  kind: 'on' | 'off' | 'hand';
  state: string;
  /** What a click does, if the person may do it. */
  act: string | false | undefined;
  testId: string;
  onClick: () => unknown;
}

/** Shows a state; for who may change it, it is the button that does. */
function Sign({ icon, kind, state, act, testId, onClick }: SignProps) {
  if (!act) {
    return (
      <span className={`sign sign-${kind}`} role="img" aria-label={state} title={state}>
        <Icon name={icon} size={19} />
      </span>
    );
  }
  return (
    <button
      type="button"
      className={`sign sign-${kind}`}
      data-testid={testId}
      aria-label={act}
      title={act}
      onClick={onClick}
    >
      <Icon name={icon} size={19} />
    </button>
  );
}
