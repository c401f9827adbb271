// Reads one value of a participant and renders again only when that value changes.
import { ParticipantEvent, type Participant } from 'livekit-client';
import { useCallback, useSyncExternalStore } from 'react';

const EVENTS = [
  ParticipantEvent.TrackPublished,
  ParticipantEvent.TrackUnpublished,
  ParticipantEvent.TrackSubscribed,
  ParticipantEvent.TrackUnsubscribed,
  ParticipantEvent.TrackMuted,
  ParticipantEvent.TrackUnmuted,
  ParticipantEvent.LocalTrackPublished,
  ParticipantEvent.LocalTrackUnpublished,
  ParticipantEvent.IsSpeakingChanged,
  ParticipantEvent.ParticipantNameChanged,
  ParticipantEvent.AttributesChanged,
  ParticipantEvent.ParticipantPermissionsChanged,
] as const;

/** @param read must give equal values (by `Object.is`) as long as nothing changed */
export function useParticipantValue<P extends Participant, T>(
  participant: P,
  read: (participant: P) => T,
): T {
  const watch = useCallback(
    (onChange: () => void) => {
      EVENTS.forEach((event) => participant.on(event, onChange));
      return () => EVENTS.forEach((event) => participant.off(event, onChange));
    },
    [participant],
  );
  return useSyncExternalStore(watch, () => read(participant));
}
