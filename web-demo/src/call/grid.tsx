// The tiles on screen, where the scene puts them, and the ways to turn its pages: buttons, and a finger's swipe.
import { useLayoutEffect, useRef, type PointerEvent } from 'react';
import type { RoomModel } from '../room/model';
import { useStore } from '../session/store';
import { Pager } from './pager';
import { Tile } from './tile';

/** A finger that went so far, and mostly sideways, wanted another page; pixels. */
const SWIPE = 60;

/** @param settled whether there is a connection, so that an empty room is really empty */
export function Grid({ model, settled }: { model: RoomModel; settled: boolean }) {
  const scene = useStore(model.scene);
  const { tiles, page, pages, pinned } = scene;
  const area = useRef<HTMLDivElement>(null);
  const from = useRef<{ x: number; y: number }>(undefined);

  useLayoutEffect(() => {
    const element = area.current;
    if (!element) return;
    const observer = new ResizeObserver(([entry]) => entry && model.scene.fit(entry.contentRect));
    observer.observe(element);
    return () => observer.disconnect();
  }, [model]);

  const touched = ({ pointerType, clientX: x, clientY: y }: PointerEvent) => {
    from.current = pointerType === 'touch' ? { x, y } : undefined;
  };
  const released = ({ clientX, clientY }: PointerEvent) => {
    if (!from.current) return;
    const [across, down] = [clientX - from.current.x, clientY - from.current.y];
    from.current = undefined;
    if (Math.abs(across) > SWIPE && Math.abs(across) > 2 * Math.abs(down))
      model.scene.turn(across < 0 ? 1 : -1);
  };

  return (
    <div
      className="grid"
      ref={area}
      data-testid="grid"
      data-view={scene.view}
      data-page={page}
      data-pages={pages}
      onPointerDown={touched}
      onPointerUp={released}
      onPointerCancel={() => (from.current = undefined)}
    >
      {tiles.map(({ identity, source, staged, ...rect }) => {
        const participant = model.room.getParticipantByIdentity(identity);
        return (
          participant && (
            <Tile
              key={`${identity} ${source}`}
              scene={model.scene}
              participant={participant}
              source={source}
              staged={staged}
              pinned={pinned?.identity === identity && pinned.source === source}
              {...rect}
            />
          )
        );
      })}
      {settled && tiles.length === 1 && pages === 1 && <Alone model={model} />}
      {pages > 1 && <Pager page={page} pages={pages} onTurn={(by) => model.scene.turn(by)} />}
    </div>
  );
}

function Alone({ model }: { model: RoomModel }) {
  const { others } = useStore(model.people);
  if (others.length > 0) return null;
  return <p className="grid-hint">You are the first one here. Share the link to invite others.</p>;
}
