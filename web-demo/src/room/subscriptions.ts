// Takes from the server what is on screen and what is to be heard, and nothing else.
import { RoomEvent, Track, type RemoteTrackPublication, type Room } from 'livekit-client';
import { isServerOwn } from './person';
import type { Scene, SceneStore } from './scene';

/** A page that is only passed in turning is not asked for, milliseconds. */
const SETTLE_MS = 120;
/** What has left the screen may come back: it is paused at once, and let go after this, milliseconds. */
const LINGER_MS = 4_000;

/** Who publishes speaker slots, and its attribute that names the tracks which they don't carry. */
const SPEAKERS = 'ramai.speakers';
const APART = 'ramai.apart';

/** What decides whether a track is wanted. */
export interface Offer {
  identity: string;
  sid: string;
  source: Track.Source;
  kind: Track.Kind;
}

/**
 * The tracks wanted now. Sound of everyone; where the server has speaker slots, theirs instead of the single microphones.
 * Slots don't carry every microphone; `apart` names the tracks that are heard by themselves. Pictures only of what is on screen, and the sound of a screen with its picture or without.
 */
export function wanted(
  offers: readonly Offer[],
  tiles: Scene['tiles'],
  apart: readonly string[] = [],
): Set<string> {
  const shown = new Set(tiles.map(({ identity, source }) => `${source} ${identity}`));
  const slots = offers.some(({ identity, kind }) => isServerOwn(identity) && kind === Track.Kind.Audio);
  const wants = ({ identity, sid, source, kind }: Offer) => {
    if (kind === Track.Kind.Video) return shown.has(`${source} ${identity}`);
    return !slots || isServerOwn(identity) || source === Track.Source.ScreenShareAudio || apart.includes(sid);
  };
  return new Set(offers.filter(wants).map(({ sid }) => sid));
}

/** Events after which there may be other tracks than before. */
const EVENTS = [
  RoomEvent.SignalConnected,
  RoomEvent.Connected,
  RoomEvent.Reconnected,
  RoomEvent.TrackPublished,
  RoomEvent.TrackUnpublished,
  RoomEvent.ParticipantAttributesChanged,
];

export class Subscriptions {
  /** When tracks that are no longer wanted were wanted last. */
  private readonly left = new Map<string, number>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private due = Infinity;
  private readonly unwatch: () => void;

  constructor(
    private readonly room: Room,
    private readonly scene: SceneStore,
  ) {
    for (const event of EVENTS) room.on(event, () => this.schedule(0));
    let page = scene.get().page;
    this.unwatch = scene.watch(() => {
      this.schedule(scene.get().page === page ? 0 : SETTLE_MS);
      page = scene.get().page;
    });
  }

  close(): void {
    clearTimeout(this.timer);
    this.unwatch();
  }

  private schedule(delay: number): void {
    const at = performance.now() + delay;
    // Turning pages puts it off; all else doesn't.
    if (delay !== SETTLE_MS && at >= this.due) return;
    this.due = at;
    clearTimeout(this.timer);
    this.timer = setTimeout(this.reconcile, delay);
  }

  private readonly reconcile = () => {
    this.due = Infinity;
    const publications = [...this.publications()];
    const now = performance.now();
    const wants = wanted(
      publications.map(([identity, { trackSid: sid, source, kind }]) => ({ identity, sid, source, kind })),
      this.scene.get().tiles,
      this.room.remoteParticipants.get(SPEAKERS)?.attributes[APART]?.split(','),
    );
    let next = Infinity;
    for (const [, publication] of publications) {
      const { trackSid, isDesired } = publication;
      if (wants.has(trackSid)) {
        this.left.delete(trackSid);
        if (!isDesired) publication.setSubscribed(true);
      } else if (isDesired) {
        const since = this.left.get(trackSid) ?? now;
        this.left.set(trackSid, since);
        if (now - since >= LINGER_MS) publication.setSubscribed(false);
        else next = Math.min(next, since + LINGER_MS - now);
      } else {
        this.left.delete(trackSid);
      }
    }
    if (next < Infinity) this.schedule(next + 1);
  };

  private *publications(): Generator<[string, RemoteTrackPublication]> {
    for (const [identity, participant] of this.room.remoteParticipants) {
      for (const publication of participant.trackPublications.values()) yield [identity, publication];
    }
  }
}
