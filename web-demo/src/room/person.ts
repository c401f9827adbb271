// What the page knows of one participant, as plain values: read once from the SDK, compared and sorted cheaply.
import { Track, type Participant } from 'livekit-client';

export type Role = 'host' | 'speaker' | 'listener';

export interface Person {
  identity: string;
  name: string;
  local: boolean;
  /** Milliseconds since 1970; 0 if the server doesn't say. */
  joinedAt: number;
  role: Role;
  /** When the hand went up, milliseconds since 1970; 0 while it is down. */
  hand: number;
  /** In the waiting room: nobody but hosts sees them. */
  waiting: boolean;
  mic: boolean;
  camera: boolean;
  screen: boolean;
  speaking: boolean;
  /** Since when they speak, on the page's clock; 0 if they don't. */
  speaksSince: number;
  /** When they were last heard to speak, on the page's clock; 0 if never. */
  spokeAt: number;
}

/** Attributes that the server sets, and the one that everybody sets of themselves. */
export const ATTRIBUTE = {
  role: 'ramai.role',
  waiting: 'ramai.waiting',
  hand: 'ramai.hand',
  slots: 'ramai.slots',
};

/** Participants of the server's own (speaker slots): heard, never shown. */
export const isServerOwn = (identity: string): boolean => identity.startsWith('ramai.');

/** @param before what was known of the same person  @param now on the page's clock */
export function describe(participant: Participant, before: Person | undefined, now: number): Person {
  const { identity, name, attributes, isLocal, isSpeaking } = participant;
  const hand = Number(attributes[ATTRIBUTE.hand]);
  return {
    identity,
    name: name || identity,
    local: isLocal,
    joinedAt: participant.joinedAt?.getTime() ?? 0,
    role: roleOf(participant),
    hand: hand > 0 ? hand : 0,
    waiting: attributes[ATTRIBUTE.waiting] === '1',
    mic: participant.isMicrophoneEnabled,
    camera: participant.isCameraEnabled,
    screen: participant.getTrackPublication(Track.Source.ScreenShare)?.isMuted === false,
    speaking: isSpeaking,
    speaksSince: !isSpeaking ? 0 : before?.speaking ? before.speaksSince : now,
    // Also when they fall silent: that is the last moment they were heard.
    spokeAt: isSpeaking || before?.speaking ? now : (before?.spokeAt ?? 0),
  };
}

/** As the server says; a server without roles says by the permissions who only listens. */
function roleOf({ attributes, permissions }: Participant): Role {
  const role = attributes[ATTRIBUTE.role];
  if (role === 'host' || role === 'speaker' || role === 'listener') return role;
  return permissions?.canPublish === false ? 'listener' : 'speaker';
}
