// Order in the room: who comes first is its host, and mutes, removes, locks, lets in and invites; the others are told in words.
import assert from 'node:assert/strict';
import { story } from '../harness/story.js';

/** @typedef {import('../harness/participant.js').Participant} Participant */

/** Clicks in the host's row of somebody. @param {Participant} host  @param {Participant} whom  @param {string} testId */
async function act(host, whom, testId) {
  const button = `[data-testid=person][data-identity="${whom.identity}"] [data-testid=${testId}]`;
  await host.until(`${host.name} may ${testId} ${whom.name}`, 15_000, (selector) => Boolean(document.querySelector(selector)), button);
  await host.page.click(button);
}

story('a host mutes one, stops a camera, mutes all, lowers a hand', async (call) => {
  const ana = await call.join('ana');
  const [ben, cleo] = [await call.join('ben'), await call.join('cleo')];
  await ana.expectToSeeAndHear(ben, cleo);
  await ana.click('people-button');

  await act(ana, ben, 'mute-person');
  assert.match(await ben.expectNotice('mic'), /host muted you/i);
  await cleo.expectTile(ben, { muted: 'true' });
  await ana.expectTile(cleo, { muted: 'false' });
  // Muted is not silenced: who wants to speak unmutes.
  await ben.click('mic-button');
  await cleo.expectTile(ben, { muted: 'false' });
  await cleo.expectSound(ben);

  await act(ana, ben, 'stop-camera');
  await ben.expectNotice('camera');
  await cleo.expectTile(ben, { video: 'false' });

  await ana.click('mute-all');
  await ana.expectTile(ben, { muted: 'true' });
  await ana.expectTile(cleo, { muted: 'true' });
  await ben.expectTile(ana, { muted: 'false' });

  await ben.click('hand-button');
  await ana.expectTile(ben, { hand: 'true' });
  await act(ana, ben, 'lower-hand');
  await cleo.expectTile(ben, { hand: 'false' });

  // Who isn't a host is offered none of it.
  await ben.click('people-button');
  await ben.until('ben sees the list', 10_000, () => document.querySelectorAll('[data-testid=person]').length === 3);
  const offered = await ben.evaluate(() => document.querySelectorAll('[data-testid=host-tools], [data-testid=person] button').length);
  assert.equal(offered, 0);
});

story('a host removes somebody, who reads why', async (call) => {
  const [ana, ben] = [await call.join('ana'), await call.join('ben')];
  await ana.expectPicture(ben);
  await ana.click('people-button');
  await act(ana, ben, 'remove-person');
  // Nothing happens before the question is answered.
  await ana.click('confirm-yes');
  assert.match(await ben.expectNotice('removed'), /removed/i);
  await ana.expectGone(ben.identity);
});

story('a locked room lets nobody else in, and says so', async (call) => {
  const [ana, ben] = [await call.join('ana'), await call.join('ben')];
  await ana.click('people-button');
  await ana.click('lock-switch');
  // Everybody inside sees that it is locked.
  await ben.until('ben sees the lock', 10_000, () => Boolean(document.querySelector('[data-testid=locked]')));
  const cleo = await call.arrive('cleo');
  await cleo.open(`/r/${call.room}`, { name: 'cleo', autojoin: '1' });
  assert.match(await cleo.expectNotice('room-locked'), /locked/i);
  // Who is inside comes back after a reload.
  await ben.page.reload();
  await ben.joined();
  await ana.click('lock-switch');
  await ana.until('ana sees no lock', 10_000, () => !document.querySelector('[data-testid=locked]'));
  await cleo.click('rejoin-button');
  await cleo.joined();
  await ana.expectPicture(cleo);
});

story('a waiting room: one is let in, one is turned away', async (call) => {
  const ana = await call.join('ana');
  await ana.click('people-button');
  await ana.click('waiting-room-switch');
  await ana.until('the waiting room is on', 10_000, () => {
    const box = document.querySelector('[data-testid=waiting-room-switch]');
    return box instanceof HTMLInputElement && box.checked;
  });

  const waits = async (/** @type {Participant} */ who) => {
    await who.open(`/r/${call.room}`, { name: who.name, autojoin: '1' });
    await who.until(`${who.name} waits`, 15_000, () => Boolean(document.querySelector('[data-testid=at-the-door]')));
  };
  const ben = await call.arrive('ben');
  await waits(ben);
  await ana.until('ana sees who waits', 10_000, () => document.querySelector('[data-testid=waiting-person]')?.textContent?.includes('ben'));
  // Ben has heard of nobody, and nobody but the host of him.
  assert.equal(await ben.evaluate(() => window.__ramai?.room.remoteParticipants.size), 0);
  await ana.click('admit');
  await ben.joined();
  await ben.expectToSeeAndHear(ana);
  await ana.expectToSeeAndHear(ben);

  const cleo = await call.arrive('cleo');
  await waits(cleo);
  await ana.click('deny');
  assert.match(await cleo.expectNotice('removed'), /not let in/i);
  await ana.until('nobody waits', 10_000, () => !document.querySelector('[data-testid=waiting-person]'));
});

story('a link for listeners makes listeners', async (call) => {
  const ana = await call.join('ana');
  await ana.click('people-button');
  await ana.click('invite-listener');
  const link = await ana.until('the link is made', 10_000, () => document.querySelector('[data-testid=invite-listener]')?.getAttribute('data-link'));
  const ben = await call.arrive('ben');
  const { pathname, searchParams } = new URL(link ?? '');
  await ben.open(pathname, { name: 'ben', autojoin: '1', invite: searchParams.get('invite') ?? '' });
  await ben.joined();
  await ben.expectPicture(ana);
  await ben.expectSound(ana);
  // No switches for what one may not send, and no tile of somebody who can't be seen.
  const buttons = await ben.evaluate(() => ['mic-button', 'camera-button', 'screen-button'].filter((id) => document.querySelector(`[data-testid=${id}]`)));
  assert.deepEqual(buttons, []);
  await ben.page.keyboard.press('m');
  await ana.until('ana counts two', 10_000, () => document.querySelector('[data-testid=participant-count]')?.textContent === '2');
  assert.equal(await ana.evaluate((identity) => Boolean(window.__story.tileOf(identity, 'camera')), ben.identity), false);
  // It is the server that says no, not the page.
  const refused = await ben.evaluate(async () => {
    const room = window.__ramai?.room;
    const [track] = (await navigator.mediaDevices.getUserMedia({ audio: true })).getAudioTracks();
    return room.engine.addTrack({ cid: track?.id, name: 'x', type: 0, source: 2, muted: false }).then(() => 'taken', (/** @type {Error} */ error) => `refused: ${error.message}`);
  });
  assert.match(refused, /refused/);
  // But a hand and words they may.
  await ben.click('hand-button');
  await ana.until('ana sees the hand', 10_000, () => document.querySelector('[data-testid=people-asking]')?.textContent === '1');
  await ben.say('may I speak?');
  await ana.click('chat-button');
  await ana.expectMessage(ben, 'may I speak?');
});
