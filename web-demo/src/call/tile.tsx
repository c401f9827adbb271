// One tile: a person's camera or shared screen, their name, whether they speak, are muted or have a hand up. A click pins it.
import { Track, type Participant } from 'livekit-client';
import { memo, type CSSProperties } from 'react';
import { ATTRIBUTE } from '../room/person';
import type { SceneStore, TileSource } from '../room/scene';
import { Avatar } from '../ui/avatar';
import { Icon } from '../ui/icons';
import { Video } from '../ui/video';
import { useParticipantValue } from './participant-value';

interface Props {
  scene: SceneStore;
  participant: Participant;
  source: TileSource;
  staged: boolean;
  pinned: boolean;
  x: number;
  y: number;
  width: number;
  height: number;
}

/** Below this there is no place for long captions, pixels. */
const SMALL = 260;

export const Tile = memo(function Tile(props: Props) {
  const { scene, participant, source, staged, pinned, x, y, width, height } = props;
  const screen = source === 'screen_share';
  const local = participant.isLocal;
  const identity = useParticipantValue(participant, (p) => p.identity);
  const name = useParticipantValue(participant, (p) => p.name || p.identity);
  const speaking = useParticipantValue(participant, (p) => p.isSpeaking);
  const micOn = useParticipantValue(participant, (p) => p.isMicrophoneEnabled);
  const handUp = useParticipantValue(participant, (p) => Boolean(p.attributes[ATTRIBUTE.hand]));
  const host = useParticipantValue(participant, (p) => p.attributes[ATTRIBUTE.role] === 'host');
  const track = useParticipantValue(participant, (p) => {
    const publication = p.getTrackPublication(screen ? Track.Source.ScreenShare : Track.Source.Camera);
    return publication && !publication.isMuted ? publication.videoTrack : undefined;
  });
  const upright = useParticipantValue(participant, (p) => {
    const { width = 0, height = 0 } = p.getTrackPublication(Track.Source.Camera)?.dimensions ?? {};
    return height > width;
  });
  const cameraOn = useParticipantValue(participant, (p) => p.isCameraEnabled);

  const caption = screen ? (local ? 'Your screen' : `${name}’s screen`) : local ? `${name} (you)` : name;
  const classes = [
    'tile',
    screen && 'tile-screen',
    speaking && !screen && 'tile-speaking',
    width < SMALL && 'tile-small',
    // A wide stage would show a slice of a face that was filmed upright.
    staged && !screen && upright && width > height && 'tile-whole',
  ];
  const place = { transform: `translate(${x}px, ${y}px)`, width, height } satisfies CSSProperties;
  const pin = pinned ? `Unpin ${caption}` : `Pin ${caption}`;

  return (
    <article
      className={classes.filter(Boolean).join(' ')}
      style={place}
      aria-label={[caption, !micOn && !screen && 'microphone off', handUp && 'hand raised']
        .filter(Boolean)
        .join(', ')}
      data-testid="tile"
      data-identity={identity}
      data-local={local}
      data-source={source}
      data-staged={staged}
      data-speaking={speaking}
      data-muted={!micOn}
      data-hand={handUp}
      data-video={track !== undefined}
      onClick={() => scene.pin({ identity, source })}
    >
      {track ? (
        <Video track={track} className={local && !screen ? 'mirrored' : undefined} tabIndex={-1} />
      ) : screen ? (
        <span className="spinner" aria-hidden="true" />
      ) : (
        // Initials also until a picture comes: a spinner in each of 25 tiles would be a fairground.
        <Avatar identity={identity} name={name} waiting={cameraOn} />
      )}
      <div className="tile-caption">
        {!micOn && !screen && <Icon name="mic-off" size={16} />}
        {screen && <Icon name="screen" size={16} />}
        {host && !screen && (
          <span className="tile-host" title="Host">
            <Icon name="crown" size={15} />
          </span>
        )}
        <span data-testid="tile-name">{caption}</span>
      </div>
      {handUp && !screen && (
        <span className="tile-hand" title="Hand raised">
          <Icon name="hand" size={20} />
        </span>
      )}
      <button
        type="button"
        className="tile-pin"
        data-testid="pin-button"
        aria-pressed={pinned}
        aria-label={pin}
        title={pin}
        onClick={(event) => {
          event.stopPropagation();
          scene.pin({ identity, source });
        }}
      >
        <Icon name={pinned ? 'unpin' : 'pin'} size={18} />
      </button>
    </article>
  );
});
