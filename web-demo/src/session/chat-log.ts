// The messages of one call, sent and received as text streams on the topic that the SDKs' chat uses.
import type { Room } from 'livekit-client';
import { Store } from './store';

const TOPIC = 'lk.chat';
/** Messages kept in the panel; older ones scroll out of memory too. */
const KEEP = 500;
export const MAX_MESSAGE_LENGTH = 2_000;

export interface ChatMessage {
  id: string;
  from: string;
  name: string;
  own: boolean;
  /** Milliseconds since 1970. */
  at: number;
  text: string;
}

export class ChatLog extends Store<readonly ChatMessage[]> {
  constructor(private readonly room: Room) {
    super([]);
    room.registerTextStreamHandler(TOPIC, (reader, from) => {
      reader.readAll().then(
        (text) =>
          this.add({
            id: reader.info.id,
            from: from.identity,
            name: this.nameOf(from.identity),
            own: false,
            at: reader.info.timestamp,
            text: text.slice(0, MAX_MESSAGE_LENGTH),
          }),
        // A stream cut off by its sender's leaving: there is no whole message to show.
        () => undefined,
      );
    });
  }

  /** @throws when the message could not be handed to the connection. */
  async send(text: string): Promise<void> {
    const info = await this.room.localParticipant.sendText(text, { topic: TOPIC });
    const { identity, name } = this.room.localParticipant;
    this.add({ id: info.id, from: identity, name: name || identity, own: true, at: info.timestamp, text });
  }

  private add(message: ChatMessage): void {
    this.set([...this.get().slice(1 - KEEP), message]);
  }

  private nameOf(identity: string): string {
    return this.room.getParticipantByIdentity(identity)?.name || identity;
  }
}
