// Who speaks is highlighted for the others. The fake microphone beeps, which counts as speaking.
import { story } from '../harness/story.js';

story('who speaks is highlighted', async (call) => {
  const ana = await call.join('ana');
  const ben = await call.join('ben', { switches: { audio: '0' } });
  await ben.expectTile(ana, { speaking: 'true' });
  // Who is muted falls silent.
  await ana.click('mic-button');
  await ben.expectTile(ana, { speaking: 'false', muted: 'true' });
});
