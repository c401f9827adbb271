// A large room is seen in pages, and what is not on screen isn't asked for and doesn't come.
import assert from 'node:assert/strict';
import { Crowd, looks } from '../harness/crowd.js';
import { story } from '../harness/story.js';
import { poll } from '../harness/wait.js';

const CROWD = 40;
/** A page of this size holds fewer than the crowd. */
const VIEWPORT = { width: 1000, height: 700 };
/** What has left the screen is let go after four seconds. */
const LET_GO_MS = 15_000;

/** @param {import('../harness/participant.js').Participant} who */
const page = (who) =>
  who.evaluate(() => {
    const grid = /** @type {HTMLElement} */ (document.querySelector('[data-testid=grid]'));
    return { page: Number(grid.dataset.page), pages: Number(grid.dataset.pages) };
  });

/** Waits until exactly those on screen are asked for, and come. @param {import('../harness/participant.js').Participant} who */
const onlyWhatIsShown = (who) =>
  poll(`${who.name} is sent what is on screen, and nothing else`, LET_GO_MS, async () => {
    const seen = await looks(who);
    const same = [seen.asked, seen.coming].every((list) => list.join() === seen.shown.join());
    if (same && seen.shown.length > 0) return seen.shown;
    throw new Error(`shown ${seen.shown.length}, asked ${seen.asked.length}, coming ${seen.coming.length}`);
  });

story('pages are turned, and only what is on screen comes', async (call, t) => {
  const ana = await call.join('ana', { switches: { audio: '0', video: '0' }, viewport: VIEWPORT });
  const crowd = new Crowd(call, CROWD, ['--layers', '1', '--talk', '0']);
  try {
    await crowd.isIn(ana);
    const first = await onlyWhatIsShown(ana);
    const { pages } = await page(ana);
    assert.ok(pages > 1, 'more than a page');
    t.diagnostic(`${CROWD + 1} people on ${pages} pages, ${first.length} others on the first`);

    await ana.click('next-page');
    const second = await onlyWhatIsShown(ana);
    assert.deepEqual(await page(ana), { page: 1, pages });
    assert.deepEqual(first.filter((identity) => second.includes(identity)), [], 'nobody is on two pages');

    // By keys to the end; everyone has been on one page by then.
    const seen = new Set([...first, ...second]);
    for (let turned = 2; turned < pages; turned += 1) {
      await ana.page.keyboard.press('PageDown');
      for (const identity of await onlyWhatIsShown(ana)) seen.add(identity);
    }
    assert.equal(seen.size, CROWD);

    // Past the end there is nothing, and back at the beginning everyone sits where they sat.
    await ana.page.keyboard.press('PageDown');
    assert.deepEqual(await page(ana), { page: pages - 1, pages });
    for (let turned = 1; turned < pages; turned += 1) await ana.page.keyboard.press('PageUp');
    assert.deepEqual(await onlyWhatIsShown(ana), first);

    // All that turning left no media sections behind beyond what was on screen at the same time.
    const sections = await ana.evaluate(() =>
      window.__story.connections.reduce((sum, connection) => sum + connection.getReceivers().filter(({ track }) => track.kind === 'video').length, 0),
    );
    t.diagnostic(`${sections} video sections after all pages`);
    assert.ok(sections <= 4 * first.length, `${sections} video sections for ${first.length} tiles`);
  } finally {
    await crowd.end();
  }
});

story('one person large: by the speaker view, and by a pin', async (call) => {
  const ana = await call.join('ana', { switches: { audio: '0' } });
  const ben = await call.join('ben', { switches: { audio: '0' } });
  const cleo = await call.join('cleo');
  await ana.expectInRoom([ben, cleo]);

  // Cleo's fake microphone beeps: the speaker view has her on the stage.
  await ana.click('view-button');
  await ana.expectTile(cleo, { staged: 'true' });
  await ana.expectTile(ben, { staged: 'false' });
  await ana.expectPicture(cleo);
  await ana.expectPicture(ben);

  // A pin is stronger than who speaks.
  const tile = await ana.page.$(`[data-testid=tile][data-identity="${ben.identity}"]`);
  await tile?.click();
  await ana.expectTile(ben, { staged: 'true' });
  await ana.expectTile(cleo, { staged: 'false' });
  await ana.expectPicture(ben);
  await ana.page.keyboard.press('Escape');
  await ana.expectTile(cleo, { staged: 'true' });

  await ana.page.keyboard.press('g');
  for (const other of [ben, cleo]) await ana.expectTile(other, { staged: 'false' });
});

story('the list of people counts, finds, and shows raised hands first', async (call) => {
  const ana = await call.join('ana');
  const ben = await call.join('ben');
  const crowd = new Crowd(call, 60, ['--layers', '0', '--talk', '0.01']);
  try {
    await crowd.isIn(ana, 1);
    await ana.click('people-button');
    const listed = () =>
      ana.evaluate(() => Array.from(document.querySelectorAll('[data-testid=person]'), (row) => /** @type {HTMLElement} */ (row).dataset.identity));
    // Sixty are there, and only the rows in sight are made.
    await ana.until('the list is there', 10_000, () => document.querySelectorAll('[data-testid=person]').length > 5);
    assert.ok((await listed()).length < 40, 'rows out of sight are not made');

    await ana.type('people-search', 'publisher-17');
    await poll('the search finds one', 10_000, async () => (await listed()).join() === 'publisher-17');
    await ana.type('people-search', 'nobody of that name');
    await poll('the search finds nobody', 10_000, async () => (await listed()).length === 0);
    await ana.page.$eval('[data-testid=people-search]', (input) => /** @type {HTMLInputElement} */ (input).select());
    await ana.page.keyboard.press('Backspace');

    await ben.page.keyboard.press('h');
    await poll('ben is on top', 10_000, async () => (await listed())[0] === ben.identity);
    await ana.expectTile(ben, { hand: 'true' });
    await ben.page.keyboard.press('h');
    await ana.expectTile(ben, { hand: 'false' });
  } finally {
    await crowd.end();
  }
});
