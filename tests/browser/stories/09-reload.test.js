// A reload comes back into the same room, as the same person, with picture both ways.
import assert from 'node:assert/strict';
import { story } from '../harness/story.js';

story('a reload comes back into the call', async (call) => {
  const ana = await call.join('ana');
  const ben = await call.arrive('ben');
  // By hand, so that nothing in the address brings him back by itself.
  await ben.open(`/r/${call.room}`);
  await ben.type('name-input', 'Ben');
  await ben.click('join-button');
  await ben.joined();
  await ana.expectPicture(ben);
  const before = ben.identity;

  await ben.page.reload({ waitUntil: 'domcontentloaded' });
  await ben.joined();
  assert.equal(ben.identity, before);
  await ben.expectToSeeAndHear(ana);
  await ana.expectToSeeAndHear(ben);
  await ana.expectInRoom([ben]);
});
