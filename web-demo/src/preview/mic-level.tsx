// Shows that the microphone hears something. Drawn past React: the level changes 20 times a second.
import { createAudioAnalyser, type LocalAudioTrack } from 'livekit-client';
import { useEffect, useRef } from 'react';

const PERIOD_MS = 50;

export function MicLevel({ track }: { track: LocalAudioTrack }) {
  const bar = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const { calculateVolume, cleanup } = createAudioAnalyser(track, { cloneTrack: true });
    const timer = setInterval(() => {
      bar.current?.style.setProperty('--level', Math.min(1, calculateVolume() * 1.6).toFixed(3));
    }, PERIOD_MS);
    return () => {
      clearInterval(timer);
      void cleanup();
    };
  }, [track]);
  return (
    <div className="mic-level" ref={bar} role="presentation">
      <div />
    </div>
  );
}
