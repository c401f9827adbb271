// Messages over the data channels, reliable and lossy, both ways.
import assert from 'node:assert/strict';
import { story } from '../harness/story.js';

const LARGE = 60_000;
const LOSSY = 20;

story('data messages reach the room', async (call) => {
  const [ana, ben] = [await call.join('ana'), await call.join('ben')];
  await ana.expectInRoom([ben]);
  await ben.expectInRoom([ana]);

  for (const [from, to] of /** @type {const} */ ([[ana, ben], [ben, ana]])) {
    await from.sendData(11, { reliable: true, topic: 'small' });
    await from.sendData(LARGE, { reliable: true, topic: 'large' });
    for (let i = 0; i < LOSSY; i += 1) await from.sendData(500, { reliable: false, topic: 'lossy' });

    const got = (/** @type {string} */ topic) =>
      to.evaluate((who, of) => window.__story.received.filter((m) => m.from === who && m.topic === of), from.identity, topic);
    await to.until(
      `${to.name} gets the large message`,
      10_000,
      (topic) => window.__story.received.some((m) => m.topic === topic),
      'large',
    );
    assert.deepEqual(await got('small'), [{ from: from.identity, topic: 'small', bytes: 11, sum: sumOf(11), reliable: true }]);
    assert.deepEqual(await got('large'), [{ from: from.identity, topic: 'large', bytes: LARGE, sum: sumOf(LARGE), reliable: true }]);
    // Nothing is lost between two ends of one cable but by us; a message or two to spare for a busy machine.
    await to.until(
      `${to.name} gets the lossy messages`,
      10_000,
      (least) => window.__story.received.filter((m) => m.topic === 'lossy' && !m.reliable && m.bytes === 500).length >= least,
      LOSSY - 2,
    );
  }
});

/** What the probe makes of the bytes that `sendData` sends. @param {number} size */
function sumOf(size) {
  let sum = 0;
  for (let i = 0; i < size; i += 1) sum = (sum + ((i * 7 + size) % 256)) % 65521;
  return sum;
}
