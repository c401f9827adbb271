// A track in a <video>. Attaching through the SDK is what lets it ask only for the size that is shown.
import type { LocalVideoTrack, RemoteVideoTrack } from 'livekit-client';
import { useEffect, useRef, type VideoHTMLAttributes } from 'react';

interface Props extends VideoHTMLAttributes<HTMLVideoElement> {
  track: LocalVideoTrack | RemoteVideoTrack;
}

export function Video({ track, ...attributes }: Props) {
  const element = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    const video = element.current;
    if (!video) return;
    track.attach(video);
    return () => {
      track.detach(video);
    };
  }, [track]);
  // Sound is played by one renderer for the whole room.
  return <video ref={element} autoPlay playsInline muted {...attributes} />;
}
