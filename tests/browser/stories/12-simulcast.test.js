// A receiver gets the simulcast layer it asks for, without a break in the picture.
import { story } from '../harness/story.js';

/** Large enough for three layers. */
const CAMERA = /** @type {const} */ ({ kind: 'device', width: 1280, height: 720, fps: 15 });
const QUALITY = { low: 0, medium: 1, high: 2 };

story('a receiver chooses the quality', async (call) => {
  const ana = await call.join('ana', { camera: CAMERA });
  // Looks on only: the machine has enough to do with three layers.
  const ben = await call.join('ben', { switches: { video: '0', audio: '0' }, viewport: { width: 1600, height: 1000 } });
  await ben.expectPicture(ana);

  const ask = (/** @type {number} */ quality) =>
    ben.evaluate(
      (identity, wanted) => window.__story.participantOf(identity).getTrackPublication('camera').setVideoQuality(wanted),
      ana.identity,
      quality,
    );
  const width = (/** @type {string} */ words, /** @type {number} */ from, /** @type {number} */ to) =>
    ben.until(
      words,
      20_000,
      async (identity, least, most) => {
        const wide = (await window.__story.inbound(identity, 'camera'))?.frameWidth ?? 0;
        if (wide < least || wide > most) throw new Error(`${wide} wide`);
        return wide;
      },
      ana.identity,
      from,
      to,
    );

  await ask(QUALITY.low);
  await width('the low layer comes', 1, 400);
  await ben.expectPicture(ana);
  await ask(QUALITY.high);
  await width('the high layer comes', 900, 1280);
  await ben.expectPicture(ana);
  await ask(QUALITY.medium);
  await width('the middle layer comes', 480, 800);
  await ben.expectPicture(ana);
});

story('a camera that nobody watches is encoded small until somebody does', async (call) => {
  const ana = await call.join('ana', { camera: CAMERA });
  const encodes = (/** @type {string} */ words, /** @type {number} */ layers) =>
    ana.until(
      words,
      20_000,
      (wanted) => {
        const active = window.__story.encoding('camera');
        if (active !== wanted) throw new Error(`${active} layers`);
        return active;
      },
      layers,
    );
  await encodes('all layers are encoded, until it is known what the line takes', 3);
  await encodes('only the lowest layer is encoded', 1);
  const ben = await call.join('ben', { switches: { video: '0', audio: '0' }, viewport: { width: 1600, height: 1000 } });
  await ben.until(
    'the high layer comes',
    10_000,
    async (identity) => {
      const wide = (await window.__story.inbound(identity, 'camera'))?.frameWidth ?? 0;
      if (wide < 900) throw new Error(`${wide} wide`);
      return wide;
    },
    ana.identity,
  );
  await encodes('all are, for somebody who sees her large', 3);
  await ben.leave();
  await encodes('only the lowest layer again', 1);
});
