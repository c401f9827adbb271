// A shared screen appears beside the camera, with its own size, and disappears.
import assert from 'node:assert/strict';
import { story } from '../harness/story.js';

story('a screen is shared and taken back', async (call) => {
  const [ana, ben] = [await call.join('ana'), await call.join('ben')];
  const camera = await ben.expectPicture(ana);

  await ana.click('screen-button');
  const screen = await ben.expectPicture(ana, { source: 'screen_share' });
  assert.notDeepEqual([screen.width, screen.height], [camera.width, camera.height], 'the screen, not the camera again');
  await ben.expectPicture(ana);

  await ana.click('screen-button');
  await ben.expectGone(ana.identity, { source: 'screen_share' });
  await ben.expectPicture(ana);

  // And once more: the way is free again.
  await ana.click('screen-button');
  await ben.expectPicture(ana, { source: 'screen_share' });
});
