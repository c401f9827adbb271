// Who comes late sees those who are there within two seconds of being in, by the page's own clock.
import assert from 'node:assert/strict';
import { story } from '../harness/story.js';

const LIMIT_MS = 2_000;

story('a late joiner gets the picture within two seconds', async (call, t) => {
  const [ana, ben] = [await call.join('ana'), await call.join('ben')];
  await ana.expectPicture(ben);
  await ben.expectPicture(ana);

  const late = await call.join('late');
  for (const there of [ana, ben]) {
    await late.expectPicture(there);
    const took = await late.evaluate((who) => {
      const at = (/** @type {string} */ event, /** @type {string | undefined} */ of) =>
        window.__story.timeline.find((m) => m.event === event && (!of || (m.who === of && m.source === 'camera')))?.at ?? NaN;
      const frame = at('first-frame', who);
      return { sinceJoined: frame - at('signalConnected', undefined), sinceSubscribed: frame - at('subscribed', who) };
    }, there.identity);
    t.diagnostic(`${there.name}: ${Math.round(took.sinceJoined)} ms after being joined, ${Math.round(took.sinceSubscribed)} ms after the track`);
    assert.ok(took.sinceJoined <= LIMIT_MS, `${there.name}'s first frame came ${took.sinceJoined} ms after being joined`);
  }
});
