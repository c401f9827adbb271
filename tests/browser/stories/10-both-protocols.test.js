// The older protocol with two peer connections (v0) and the newer with one (v1), mixed in one room.
import assert from 'node:assert/strict';
import { story } from '../harness/story.js';

const DUAL = { switches: { pc: 'dual' } };

story('one and two peer connections in one room', async (call) => {
  const one = await call.join('one');
  const two = await call.join('two', DUAL);
  const also = await call.join('also', DUAL);
  for (const [person, others] of /** @type {const} */ ([[one, [two, also]], [two, [one, also]], [also, [one, two]]])) {
    await person.expectToSeeAndHear(...others);
  }
  const open = () => window.__story.connections.filter((c) => c.connectionState !== 'closed').length;
  assert.equal(await one.evaluate(open), 1, 'the new protocol makes do with one connection');
  assert.equal(await two.evaluate(open), 2, 'the old one takes two');

  // What is published and taken back later takes its own negotiation in both.
  await two.click('camera-button');
  await one.expectTile(two, { video: 'false' });
  await two.click('camera-button');
  await one.expectPicture(two);
  await two.say('hello from v0');
  await one.expectMessage(two, 'hello from v0');
  await one.say('hello from v1');
  await two.expectMessage(one, 'hello from v1');
});
