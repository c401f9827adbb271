// Everyone in the room, gathered: however many events come in, watchers hear of them a few times a second, and only
// those whom an event names are read again.
import { RoomEvent, type Participant, type Room } from 'livekit-client';
import { Store } from '../session/store';
import { describe, isServerOwn, type Person } from './person';

export interface Crowd {
  me: Person;
  /** All others who are in, in the order they came. */
  others: readonly Person[];
  /** Who waits to be let in; only hosts are told of them. */
  waiting: readonly Person[];
}

/** Pause between two accounts, milliseconds: in a small room it can't be felt, a large one changes all the time. */
const PAUSE_MS = { small: 40, large: 250 };
const LARGE = 50;

/** Events that name the participant whom they change. */
const OF_ONE = [RoomEvent.ParticipantConnected, RoomEvent.ParticipantDisconnected] as const;
const LAST_NAMES_ONE = [
  RoomEvent.TrackPublished,
  RoomEvent.TrackUnpublished,
  RoomEvent.TrackMuted,
  RoomEvent.TrackUnmuted,
  RoomEvent.LocalTrackPublished,
  RoomEvent.LocalTrackUnpublished,
  RoomEvent.ParticipantNameChanged,
  RoomEvent.ParticipantAttributesChanged,
  RoomEvent.ParticipantPermissionsChanged,
] as const;
/** After these nothing of before can be relied on. */
const OF_ALL = [
  RoomEvent.SignalConnected,
  RoomEvent.Connected,
  RoomEvent.Reconnected,
  RoomEvent.Disconnected,
] as const;

export class People extends Store<Crowd> {
  private readonly known = new Map<string, Person>();
  private readonly changed = new Set<string>();
  private everything = true;
  private speakers: readonly Participant[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;
  private told = 0;

  constructor(private readonly room: Room) {
    super({ me: describe(room.localParticipant, undefined, 0), others: [], waiting: [] });
    for (const event of OF_ONE) room.on(event, (who: Participant) => this.note(who.identity));
    for (const event of LAST_NAMES_ONE) {
      room.on(event, (...args: unknown[]) => this.note((args.at(-1) as Participant).identity));
    }
    for (const event of OF_ALL) room.on(event, this.noteAll);
    room.on(RoomEvent.ActiveSpeakersChanged, (speakers) => {
      for (const { identity } of [...this.speakers, ...speakers]) this.note(identity);
      this.speakers = speakers;
    });
  }

  close(): void {
    clearTimeout(this.timer);
  }

  private readonly noteAll = () => {
    this.everything = true;
    this.schedule();
  };

  private note(identity: string): void {
    this.changed.add(identity);
    this.schedule();
  }

  private schedule(): void {
    if (this.timer !== undefined) return;
    const pause = this.known.size < LARGE ? PAUSE_MS.small : PAUSE_MS.large;
    this.timer = setTimeout(this.tell, Math.max(0, this.told + pause - performance.now()));
  }

  private readonly tell = () => {
    this.timer = undefined;
    const now = (this.told = performance.now());
    const { localParticipant, remoteParticipants } = this.room;
    if (this.everything) {
      for (const identity of this.known.keys()) this.changed.add(identity);
      for (const identity of remoteParticipants.keys()) this.changed.add(identity);
    }
    for (const identity of this.changed) {
      const participant = remoteParticipants.get(identity);
      if (!participant || isServerOwn(identity)) this.known.delete(identity);
      else this.known.set(identity, describe(participant, this.known.get(identity), now));
    }
    this.changed.clear();
    this.everything = false;
    const all = [...this.known.values()].sort(byJoining);
    this.set({
      me: describe(localParticipant, this.get().me, now),
      others: all.filter(({ waiting }) => !waiting),
      waiting: all.filter(({ waiting }) => waiting),
    });
  };
}

const byJoining = (a: Person, b: Person) => a.joinedAt - b.joinedAt || (a.identity < b.identity ? -1 : 1);
