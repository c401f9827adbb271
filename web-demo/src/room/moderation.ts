// What a host may do, by the server's own calls: LiveKit's RoomService, and `ramai.Moderation` for what that has no call for.
// The host's own pass for the call is the authorisation.
import type { Room } from 'livekit-client';

export interface RoomState {
  locked: boolean;
  waitingRoom: boolean;
}

export type InviteRole = 'speaker' | 'listener';

/** A call that the server refused or that didn't reach it. */
export class ModerationError extends Error {
  override readonly name = 'ModerationError';
}

/** How long the server may take to answer, milliseconds. */
const TIMEOUT_MS = 10_000;

export class Moderation {
  /** The newest pass for this call. */
  token = '';

  constructor(private readonly room: Room) {}

  getRoom(): Promise<RoomState> {
    return this.ask('ramai.Moderation/GetRoom', {}).then(roomState);
  }

  setRoom(change: Partial<RoomState>): Promise<RoomState> {
    return this.ask('ramai.Moderation/SetRoom', change).then(roomState);
  }

  /** @returns a signed invite for a link, see `linkOfRoom` */
  async invite(role: InviteRole): Promise<string> {
    const { invite } = await this.ask('ramai.Moderation/Invite', { role });
    if (typeof invite !== 'string' || invite === '') throw new ModerationError('the server made no invite');
    return invite;
  }

  /** Everybody but oneself. */
  async muteAll(): Promise<void> {
    await this.ask('ramai.Moderation/MuteAll', { except: [this.room.localParticipant.identity] });
  }

  async mute(identity: string, trackSid: string): Promise<void> {
    await this.ask('livekit.RoomService/MutePublishedTrack', { identity, trackSid, muted: true });
  }

  async lowerHand(identity: string, attribute: string): Promise<void> {
    await this.ask('livekit.RoomService/UpdateParticipant', { identity, attributes: { [attribute]: '' } });
  }

  /** Out of the room, or not into it: for those who wait that is a no. */
  async remove(identity: string): Promise<void> {
    await this.ask('livekit.RoomService/RemoveParticipant', { identity });
  }

  async admit(identity: string): Promise<void> {
    await this.ask('ramai.Moderation/Admit', { identity });
  }

  private async ask(method: string, body: object): Promise<Record<string, unknown>> {
    let answer: Response;
    try {
      answer = await fetch(`/twirp/${method}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${this.token}` },
        body: JSON.stringify({ room: this.room.name, ...body }),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
    } catch {
      throw new ModerationError('the server did not answer');
    }
    const content = (await answer.json().catch(() => ({}))) as Record<string, unknown>;
    if (answer.ok) return content;
    throw new ModerationError(
      typeof content.msg === 'string' ? content.msg : `the server said ${answer.status}`,
    );
  }
}

/** Fields that are false may be missing. */
export function roomState(content: unknown): RoomState {
  const { locked, waitingRoom } = (content ?? {}) as Record<string, unknown>;
  return { locked: locked === true, waitingRoom: waitingRoom === true };
}
