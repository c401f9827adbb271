// Everyone's tiles, laid out to fill the room there is. Screens come first, then people in order of joining.
import { useTracks } from '@livekit/components-react';
import { Track, type Participant } from 'livekit-client';
import { useLayoutEffect, useMemo, useRef, useState } from 'react';
import { arrange, type Box } from './arrange';
import { Tile } from './tile';

const SOURCES = [
  { source: Track.Source.Camera, withPlaceholder: true },
  { source: Track.Source.ScreenShare, withPlaceholder: false },
];
const ANY_STATE = { onlySubscribed: false };

/** @param settled whether there is a connection, so that an empty room is really empty */
export function Grid({ settled }: { settled: boolean }) {
  const references = useTracks(SOURCES, ANY_STATE);
  const [area, box] = useBox();

  const { shares, cameras } = useMemo(() => {
    const of = (source: Track.Source) =>
      references.filter((reference) => reference.source === source).map(({ participant }) => participant);
    return {
      shares: of(Track.Source.ScreenShare),
      cameras: distinct(of(Track.Source.Camera)).sort(byJoining),
    };
  }, [references]);

  const { rects, height } = arrange(shares.length, cameras.length, box);
  const tiles = [
    ...shares.map((participant) => ({ participant, source: Track.Source.ScreenShare as const })),
    ...cameras.map((participant) => ({ participant, source: Track.Source.Camera as const })),
  ];

  return (
    <div className="grid" ref={area} data-testid="grid">
      <div className="grid-content" style={{ height }}>
        {tiles.map(({ participant, source }, index) => {
          const rect = rects[index];
          return (
            rect && (
              <Tile
                key={`${participant.identity} ${source}`}
                participant={participant}
                source={source}
                {...rect}
              />
            )
          );
        })}
      </div>
      {settled && cameras.length === 1 && shares.length === 0 && (
        <p className="grid-hint">You are the first one here. Share the link to invite others.</p>
      )}
    </div>
  );
}

/** Oneself last, so that others don't jump when the own order changes; the others by when they came. */
function byJoining(a: Participant, b: Participant): number {
  if (a.isLocal !== b.isLocal) return a.isLocal ? 1 : -1;
  return (a.joinedAt?.getTime() ?? 0) - (b.joinedAt?.getTime() ?? 0) || (a.identity < b.identity ? -1 : 1);
}

function distinct(participants: Participant[]): Participant[] {
  return [...new Map(participants.map((participant) => [participant.identity, participant])).values()];
}

/** The inner size of an element, kept up to date. */
function useBox() {
  const area = useRef<HTMLDivElement>(null);
  const [box, setBox] = useState<Box>({ width: 0, height: 0 });
  useLayoutEffect(() => {
    const element = area.current;
    if (!element) return;
    const observer = new ResizeObserver(([entry]) => {
      if (!entry) return;
      const { width, height } = entry.contentRect;
      setBox((before) => (before.width === width && before.height === height ? before : { width, height }));
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return [area, box] as const;
}
