// The first call: two people in Chromium see each other move and hear each other.
import assert from 'node:assert/strict';
import { story } from '../harness/story.js';

story('two people meet by a link', async (call) => {
  // Ana comes by the home page: a name, a room, a look at herself, in.
  const ana = await call.arrive('ana');
  await ana.open('/');
  await ana.type('name-input', 'Ana');
  await ana.type('room-input', call.room);
  await ana.until('ana sees herself in the preview', 10_000, () => {
    const preview = document.querySelector('[data-testid=preview-video]');
    const video = preview instanceof HTMLVideoElement ? preview : preview?.querySelector('video');
    return (video?.videoWidth ?? 0) > 0;
  });
  await ana.click('join-button');
  await ana.joined();
  assert.equal(new URL(ana.page.url()).pathname, `/r/${call.room}`);

  // Ben by the link she sends him.
  const link = await ana.evaluate(() => window.location.href);
  const ben = await call.arrive('ben');
  await ben.page.goto(link);
  await ben.type('name-input', 'Ben');
  await ben.click('join-button');
  await ben.joined();

  await ana.expectToSeeAndHear(ben);
  await ben.expectToSeeAndHear(ana);
  await ana.expectInRoom([ben]);
  await ben.expectInRoom([ana]);
  const name = await ben.evaluate((id) => window.__story.tileOf(id, 'camera')?.textContent, ana.identity);
  assert.match(name ?? '', /Ana/);
});

story('no request leaves for another host', async (call) => {
  const ana = await call.arrive('ana');
  /** @type {string[]} */
  const asked = [];
  ana.page.on('request', (request) => asked.push(request.url()));
  await ana.open(`/r/${call.room}`, { name: 'ana', autojoin: '1' });
  await ana.joined();
  const foreign = asked.filter((url) => /^(http|ws)/.test(url) && new URL(url).host !== new URL(call.server.origin).host);
  assert.deepEqual(foreign, []);
});
