// Somebody in a call by LiveKit's own client SDK (libwebrtc in it), and all that it was told.
import { AudioSource, LocalAudioTrack, Room, RoomEvent, TrackPublishOptions, TrackSource } from '@livekit/rtc-node';
import { AccessToken } from 'livekit-server-sdk';
import { setTimeout as timer } from 'node:timers/promises';
import { KEY, SECRET } from './server.js';

const PATIENCE_MS = 10_000;

/** A token for a room; `grants` come on top of joining it. */
export function token(room, identity, grants = {}) {
  const made = new AccessToken(KEY, SECRET, { identity });
  made.addGrant({ roomJoin: true, room, ...grants });
  return made.toJwt();
}

export class Person {
  room = new Room();
  /** `[event, …arguments]`, oldest first. */
  told = [];
  #watchers = new Set();

  static async join(server, room, identity, grants) {
    const person = new Person();
    person.token = await token(room, identity, grants);
    for (const event of Object.values(RoomEvent)) {
      person.room.on(event, (...about) => {
        person.told.push([event, ...about]);
        person.#watchers.forEach((look) => look());
      });
    }
    await person.room.connect(server.origin.replace('http', 'ws'), person.token, { autoSubscribe: true, dynacast: true });
    return person;
  }

  /** Publishes a microphone; its SID. */
  async speak() {
    const track = LocalAudioTrack.createAudioTrack('microphone', new AudioSource(48_000, 1));
    const options = new TrackPublishOptions();
    options.source = TrackSource.SOURCE_MICROPHONE;
    return (await this.room.localParticipant.publishTrack(track, options)).sid;
  }

  /** What is known of another. */
  other(identity) {
    return this.room.remoteParticipants.get(identity);
  }

  /** Waits until `holds`, looking after each event. */
  async until(what, holds) {
    if (holds(this)) return;
    const ended = new AbortController();
    const held = new Promise((done) => {
      const look = () => holds(this) && done(true);
      this.#watchers.add(look);
      ended.signal.addEventListener('abort', () => this.#watchers.delete(look));
    });
    const late = timer(PATIENCE_MS, false, { signal: ended.signal }).catch(() => false);
    const done = await Promise.race([held, late]);
    ended.abort();
    if (!done) throw new Error(`waited for ${what} in vain; told: ${this.told.map(([event]) => event).join(' ')}`);
  }

  /** Waits for an event that `fits`; its arguments. */
  async hears(event, fits = () => true) {
    const find = () => this.told.find(([name, ...about]) => name === event && fits(...about));
    await this.until(event, () => find() !== undefined);
    return find().slice(1);
  }

  leave() {
    return this.room.disconnect();
  }
}
