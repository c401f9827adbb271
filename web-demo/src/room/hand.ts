// One's own hand, raised and lowered: an attribute of the participant that everybody may set of themselves.
import type { Room } from 'livekit-client';
import { ATTRIBUTE } from './person';

/** @throws when the server doesn't take it */
export async function raiseHand(room: Room, up: boolean): Promise<void> {
  await room.localParticipant.setAttributes({ [ATTRIBUTE.hand]: up ? String(Date.now()) : '' });
}
