// Chromium and Firefox in one call, both ways, and Firefox among themselves.
import { story } from '../harness/story.js';

story(
  'Chromium and Firefox see and hear each other',
  async (call) => {
    const [ana, fox] = [await call.join('ana'), await call.join('fox', { browser: 'firefox' })];
    await ana.expectToSeeAndHear(fox);
    await fox.expectToSeeAndHear(ana);

    // A second of each kind comes later, and sees those who were there.
    const vix = await call.join('vix', { browser: 'firefox' });
    await vix.expectToSeeAndHear(ana, fox);
    await fox.expectToSeeAndHear(vix);
    await ana.expectToSeeAndHear(vix);
  },
  { firefox: true },
);

story(
  'Firefox over two peer connections',
  async (call) => {
    const ana = await call.join('ana');
    const fox = await call.join('fox', { browser: 'firefox', switches: { pc: 'dual' } });
    await ana.expectToSeeAndHear(fox);
    await fox.expectToSeeAndHear(ana);
  },
  { firefox: true },
);
