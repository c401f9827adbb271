// What only the SDK's engine tells: that somebody else muted us, and that the server renewed our pass.
import { RoomEvent, type Room } from 'livekit-client';

interface Listener {
  muted: (trackSid: string, muted: boolean) => void;
  token: (token: string) => void;
}

export function listenToEngine(room: Room, { muted, token }: Listener): void {
  // Each connection may have an engine of its own; a listener is never there twice.
  room.on(RoomEvent.SignalConnected, () => {
    room.engine.off('remoteMute', muted).on('remoteMute', muted);
    room.engine.off('tokenRefreshed', token).on('tokenRefreshed', token);
  });
}
