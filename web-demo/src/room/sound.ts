// Plays whatever sound is subscribed, outside of React: in a large room it comes and goes all the time.
import { RoomEvent, Track, type RemoteTrack, type Room } from 'livekit-client';

export class Sound {
  private readonly place = document.createElement('div');

  constructor(room: Room) {
    this.place.hidden = true;
    document.body.append(this.place);
    room
      .on(RoomEvent.TrackSubscribed, (track: RemoteTrack) => {
        if (track.kind === Track.Kind.Audio) this.place.append(track.attach());
      })
      .on(RoomEvent.TrackUnsubscribed, (track: RemoteTrack) => {
        if (track.kind === Track.Kind.Audio) track.detach().forEach((element) => element.remove());
      });
  }

  close(): void {
    this.place.remove();
  }
}
