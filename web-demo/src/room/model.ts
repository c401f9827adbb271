// What the page keeps of one room beside the SDK's own state: who is there, what is on screen, what is taken from the server.
import type { Room } from 'livekit-client';
import { HostDesk } from './host-desk';
import { People } from './people';
import { SceneStore } from './scene';
import { Sound } from './sound';
import { Subscriptions } from './subscriptions';

export class RoomModel {
  readonly people: People;
  readonly scene: SceneStore;
  readonly desk: HostDesk;
  private readonly sound: Sound;
  private readonly subscriptions: Subscriptions;

  /** @param complain tells the person what went wrong */
  constructor(
    readonly room: Room,
    complain: (title: string, text: string) => void,
  ) {
    this.people = new People(room);
    this.scene = new SceneStore(room, this.people);
    this.desk = new HostDesk(room, this.people, complain);
    this.sound = new Sound(room);
    this.subscriptions = new Subscriptions(room, this.scene);
  }

  close(): void {
    this.subscriptions.close();
    this.desk.close();
    this.scene.close();
    this.people.close();
    this.sound.close();
  }
}
