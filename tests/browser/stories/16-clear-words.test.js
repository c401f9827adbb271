// When something fails the page says so in words for people.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { story } from '../harness/story.js';

/** Gives the page a token of our making instead of the server's. @param {import('../harness/participant.js').Participant} person  @param {() => string} make */
async function forgeTokens(person, make) {
  await person.page.setRequestInterception(true);
  person.page.on('request', (request) => {
    if (new URL(request.url()).pathname !== '/demo/token') return void request.continue();
    const asked = JSON.parse(request.postData() ?? '{}');
    const body = JSON.stringify({ token: make(), identity: asked.identity, room: asked.room, name: asked.name });
    void request.respond({ status: 200, contentType: 'application/json', body });
  });
}

/** @param {string} room  @param {number} expires  in seconds since 1970  @param {string} secret */
function token(room, expires, secret) {
  const part = (/** @type {object} */ value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { iss: 'devkey', sub: 'mallory', nbf: 0, exp: expires, video: { roomJoin: true, room } };
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

const now = () => Math.floor(Date.now() / 1000);

story('an expired token', async (call) => {
  const ana = await call.arrive('ana');
  await forgeTokens(ana, () => token(call.room, now() - 3_600, 'secret'));
  await ana.open(`/r/${call.room}`, { name: 'ana', autojoin: '1' });
  assert.match(await ana.expectNotice('token'), /expired|no longer valid/i);
});

story('a token signed by somebody else', async (call) => {
  const ana = await call.arrive('ana');
  await forgeTokens(ana, () => token(call.room, now() + 3_600, 'a guess'));
  await ana.open(`/r/${call.room}`, { name: 'ana', autojoin: '1' });
  await ana.expectNotice('token');
});

story('the camera is refused, and one can still join', async (call) => {
  const ben = await call.join('ben');
  const ana = await call.arrive('ana', { asksPermission: true });
  await ana.page.browserContext().overridePermissions(call.server.origin, ['microphone']);
  await ana.open(`/r/${call.room}`);
  assert.match(await ana.expectNotice('camera'), /camera/i);
  await ana.type('name-input', 'Ana');
  await ana.click('join-button');
  await ana.joined();
  await ana.expectToSeeAndHear(ben);
  await ben.expectSound(ana);
  await ben.expectTile(ana, { video: 'false' });
});

story('the server is gone before joining, and comes back', async (call) => {
  const ana = await call.arrive('ana');
  await ana.open(`/r/${call.room}`);
  await ana.type('name-input', 'Ana');
  await call.server.stop('SIGKILL');
  await ana.click('join-button');
  await ana.expectNotice('server');
  await call.server.start();
  await ana.joined(30_000);
});

story(
  'the room is full',
  async (call) => {
    await call.join('ana');
    const ben = await call.arrive('ben');
    await ben.open(`/r/${call.room}`, { name: 'ben', autojoin: '1' });
    assert.match(await ben.expectNotice('room-full'), /full/i);
  },
  { server: ['--max-participants', '1'] },
);
