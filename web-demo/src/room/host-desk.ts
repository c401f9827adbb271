// The host's desk: the room's switches as they are now, and orders of which the person hears when they fail.
import { ConnectionState, RoomEvent, Track, type Room } from 'livekit-client';
import { Store } from '../session/store';
import { Moderation, ModerationError, roomState, type InviteRole, type RoomState } from './moderation';
import type { People } from './people';
import { ATTRIBUTE } from './person';

/** The server tells everyone in the room of changed switches on it. */
const TOPIC = 'ramai.room';

export class HostDesk extends Store<RoomState> {
  readonly moderation: Moderation;
  private wasHost = false;
  private readonly unwatch: () => void;

  /** @param complain tells the person what went wrong */
  constructor(
    private readonly room: Room,
    private readonly people: People,
    private readonly complain: (title: string, text: string) => void,
  ) {
    super({ locked: false, waitingRoom: false });
    this.moderation = new Moderation(room);
    room
      .on(RoomEvent.DataReceived, (payload, from, _kind, topic) => {
        if (topic !== TOPIC || from) return;
        try {
          this.set(roomState(JSON.parse(new TextDecoder().decode(payload))));
        } catch {
          // Not what the server sends: another one's topic of that name.
        }
      })
      .on(RoomEvent.Reconnected, () => this.ask())
      .on(RoomEvent.Connected, () => this.ask());
    this.unwatch = people.watch(() => {
      const host = this.isHost;
      if (host && !this.wasHost) this.ask();
      this.wasHost = host;
    });
  }

  close(): void {
    this.unwatch();
  }

  get isHost(): boolean {
    return this.people.get().me.role === 'host';
  }

  setRoom(change: Partial<RoomState>): Promise<void> {
    return this.order('The room could not be changed', async () =>
      this.set(await this.moderation.setRoom(change)),
    );
  }

  muteAll(): Promise<void> {
    return this.order('The others could not be muted', () => this.moderation.muteAll());
  }

  /** Mutes a microphone or stops a camera or a shared screen. */
  mute(identity: string, source: Track.Source): Promise<void> {
    const sid = this.room.remoteParticipants.get(identity)?.getTrackPublication(source)?.trackSid;
    if (sid === undefined) return Promise.resolve();
    const what =
      source === Track.Source.Microphone
        ? 'The microphone could not be muted'
        : 'The picture could not be stopped';
    return this.order(what, () => this.moderation.mute(identity, sid));
  }

  lowerHand(identity: string): Promise<void> {
    return this.order('The hand could not be lowered', () =>
      this.moderation.lowerHand(identity, ATTRIBUTE.hand),
    );
  }

  remove(identity: string): Promise<void> {
    return this.order('They could not be removed', () => this.moderation.remove(identity));
  }

  admit(identity: string): Promise<void> {
    return this.order('They could not be let in', () => this.moderation.admit(identity));
  }

  /** @returns the invite; `undefined` when there is none, and the person has been told */
  async invite(role: InviteRole): Promise<string | undefined> {
    let invite: string | undefined;
    await this.order('The link could not be made', async () => {
      invite = await this.moderation.invite(role);
    });
    return invite;
  }

  private ask(): void {
    if (!this.isHost || this.room.state !== ConnectionState.Connected) return;
    // Without an answer the switches stay as they were; using one tells what is wrong.
    this.moderation.getRoom().then(
      (state) => this.set(state),
      () => undefined,
    );
  }

  private async order(failed: string, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      const why = error instanceof ModerationError ? error.message : 'something went wrong';
      this.complain(failed, `${why.charAt(0).toUpperCase()}${why.slice(1)}.`);
    }
  }
}
