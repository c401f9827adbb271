// One tile of the grid: a person's camera or shared screen, their name, whether they speak or are muted.
import { Track, type Participant } from 'livekit-client';
import { memo, type CSSProperties } from 'react';
import { Avatar } from '../ui/avatar';
import { Icon } from '../ui/icons';
import { Video } from '../ui/video';
import { useParticipantValue } from './participant-value';

interface Props {
  participant: Participant;
  source: Track.Source.Camera | Track.Source.ScreenShare;
  x: number;
  y: number;
  width: number;
  height: number;
}

export const Tile = memo(function Tile({ participant, source, x, y, width, height }: Props) {
  const screen = source === Track.Source.ScreenShare;
  const local = participant.isLocal;
  const identity = useParticipantValue(participant, (p) => p.identity);
  const name = useParticipantValue(participant, (p) => p.name || p.identity);
  const speaking = useParticipantValue(participant, (p) => p.isSpeaking);
  const micOn = useParticipantValue(participant, (p) => p.isMicrophoneEnabled);
  const track = useParticipantValue(participant, (p) => {
    const publication = p.getTrackPublication(source);
    return publication && !publication.isMuted ? publication.videoTrack : undefined;
  });

  const caption = screen ? (local ? 'Your screen' : `${name}’s screen`) : local ? `${name} (you)` : name;
  const highlighted = speaking && !screen;
  const classes = ['tile', screen && 'tile-screen', highlighted && 'tile-speaking'].filter(Boolean).join(' ');
  const place = { transform: `translate(${x}px, ${y}px)`, width, height } satisfies CSSProperties;

  return (
    <article
      className={classes}
      style={place}
      aria-label={`${caption}${micOn || screen ? '' : ', microphone off'}`}
      data-testid="tile"
      data-identity={identity}
      data-local={local}
      data-source={screen ? 'screen_share' : 'camera'}
      data-speaking={speaking}
      data-muted={!micOn}
      data-video={track !== undefined}
    >
      {track ? (
        <Video track={track} className={local && !screen ? 'mirrored' : undefined} tabIndex={-1} />
      ) : screen ? (
        <span className="spinner" aria-hidden="true" />
      ) : (
        <Avatar identity={identity} name={name} />
      )}
      <div className="tile-caption">
        {!micOn && !screen && <Icon name="mic-off" size={16} />}
        {screen && <Icon name="screen" size={16} />}
        <span data-testid="tile-name">{caption}</span>
      </div>
    </article>
  );
});
