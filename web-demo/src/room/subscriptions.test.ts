import { Track } from 'livekit-client';
import { expect, it } from 'vitest';
import type { PlacedTile } from './scene';
import { wanted, type Offer } from './subscriptions';

const { Camera, Microphone, ScreenShare, ScreenShareAudio, Unknown } = Track.Source;
const { Audio, Video } = Track.Kind;

const offer = (
  identity: string,
  source: Track.Source,
  kind = source === Camera || source === ScreenShare ? Video : Audio,
): Offer => ({
  identity,
  source,
  kind,
  sid: `${identity} ${source}`,
});
const tile = (identity: string, source: PlacedTile['source'] = 'camera'): PlacedTile => ({
  ...{ identity, source, staged: false },
  ...{ x: 0, y: 0, width: 1, height: 1 },
});
const everybody = ['ana', 'ben'].flatMap((identity) => [
  offer(identity, Camera),
  offer(identity, Microphone),
]);

it('pictures on screen only, and the sound of all', () => {
  expect([...wanted(everybody, [tile('ben')])]).toEqual(['ana microphone', 'ben camera', 'ben microphone']);
});

it('a screen is another picture than the camera of the same person', () => {
  const offers = [offer('ana', Camera), offer('ana', ScreenShare), offer('ana', ScreenShareAudio)];
  expect([...wanted(offers, [tile('ana', 'screen_share')])]).toEqual([
    'ana screen_share',
    'ana screen_share_audio',
  ]);
});

it('slots instead of microphones where the server has them', () => {
  const slots = [offer('ramai.speakers', Unknown), { ...offer('ramai.speakers', Microphone), sid: 'slot 2' }];
  expect([...wanted([...everybody, ...slots, offer('ana', ScreenShareAudio)], [])]).toEqual([
    'ramai.speakers unknown',
    'slot 2',
    'ana screen_share_audio',
  ]);
});

it('a microphone that slots do not carry is taken beside them', () => {
  const offers = [offer('ana', Microphone), offer('encoder', Microphone), offer('ramai.speakers', Unknown)];
  expect([...wanted(offers, [], ['encoder microphone'])]).toEqual([
    'encoder microphone',
    'ramai.speakers unknown',
  ]);
});
