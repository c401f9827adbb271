// A receiver gets the simulcast layer it asks for, without a break in the picture.
import { encodes } from '../harness/encoder.js';
import { story } from '../harness/story.js';

/** Large enough for three layers. */
const CAMERA = /** @type {const} */ ({ kind: 'device', width: 1280, height: 720, fps: 15 });
const QUALITY = { low: 0, medium: 1, high: 2 };

/**
 * Waits until pictures of so many pixels across come.
 * @param {import('../harness/participant.js').Participant} viewer
 * @param {import('../harness/participant.js').Participant} publisher
 * @param {string} words  @param {number} from  @param {number} to
 */
const comes = (viewer, publisher, words, from, to, within = 20_000) =>
  viewer.until(
    words,
    within,
    async (identity, least, most) => {
      const wide = (await window.__story.inbound(identity, 'camera'))?.frameWidth ?? 0;
      if (wide < least || wide > most) throw new Error(`${wide} wide`);
      return wide;
    },
    publisher.identity,
    from,
    to,
  );

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

  await ask(QUALITY.low);
  await comes(ben, ana, 'the low layer comes', 1, 400);
  await ben.expectPicture(ana);
  await ask(QUALITY.high);
  await comes(ben, ana, 'the high layer comes', 900, 1280);
  await ben.expectPicture(ana);
  await ask(QUALITY.medium);
  await comes(ben, ana, 'the middle layer comes', 480, 800);
  await ben.expectPicture(ana);
});

story('a camera that nobody watches is encoded small until somebody does', async (call) => {
  const ana = await call.join('ana', { camera: CAMERA });
  await encodes(ana, 'all layers are encoded, until it is known what the line takes', 3);
  await encodes(ana, 'only the lowest layer is encoded', 1);
  const ben = await call.join('ben', { switches: { video: '0', audio: '0' }, viewport: { width: 1600, height: 1000 } });
  await comes(ben, ana, 'the high layer comes', 900, 1280, 10_000);
  await encodes(ana, 'all are, for somebody who sees her large', 3);
  await ben.leave();
  await encodes(ana, 'only the lowest layer again', 1);
});
