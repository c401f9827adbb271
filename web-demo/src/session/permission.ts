// Whether the server lets one publish, now or later: who waits to be let in may not yet, who only listens may not at all.
import { RoomEvent, type Room } from 'livekit-client';

/** Resolves with true once one may publish, with false when the connection ends before. */
export function mayPublish(room: Room): Promise<boolean> {
  const allowed = () => room.localParticipant.permissions?.canPublish !== false;
  if (allowed()) return Promise.resolve(true);
  return new Promise((resolve) => {
    const settle = (may: boolean) => {
      room.off(RoomEvent.ParticipantPermissionsChanged, changed).off(RoomEvent.Disconnected, ended);
      resolve(may);
    };
    const changed = () => allowed() && settle(true);
    const ended = () => settle(false);
    room.on(RoomEvent.ParticipantPermissionsChanged, changed).on(RoomEvent.Disconnected, ended);
  });
}
