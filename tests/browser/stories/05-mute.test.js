// Microphone and camera off and on again, as the other side gets to know it.
import { story } from '../harness/story.js';

story('mute and unmute, camera off and on', async (call) => {
  const [ana, ben] = [await call.join('ana'), await call.join('ben')];
  await ben.expectToSeeAndHear(ana);
  await ben.expectTile(ana, { muted: 'false', video: 'true' });

  await ana.click('mic-button');
  await ben.expectTile(ana, { muted: 'true' });
  await ana.click('mic-button');
  await ben.expectTile(ana, { muted: 'false' });
  await ben.expectSound(ana);

  await ana.click('camera-button');
  await ben.expectTile(ana, { video: 'false' });
  await ana.click('camera-button');
  await ben.expectTile(ana, { video: 'true' });
  await ben.expectPicture(ana);
  // All the while nothing happened to the other direction.
  await ana.expectToSeeAndHear(ben);
});

story('joining muted and unmuting later', async (call) => {
  const ana = await call.join('ana', { switches: { audio: '0', video: '0' } });
  const ben = await call.join('ben');
  await ana.expectToSeeAndHear(ben);
  await ben.expectTile(ana, { muted: 'true', video: 'false' });
  await ana.click('mic-button');
  await ana.click('camera-button');
  await ben.expectTile(ana, { muted: 'false', video: 'true' });
  await ben.expectToSeeAndHear(ana);
});
