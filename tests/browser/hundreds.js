// Pictures of the page in rooms of 5, 25, 100 and 300, at desktop and at phone size, for docs/HUNDREDS.md.
//   npm run screenshot -- hundreds ../../docs/hundreds [size...]
// One person in Chromium; the others are the load generator's, with films for cameras.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { makeFilms } from './harness/actors.js';
import { Call, closeSharedBrowser } from './harness/call.js';
import { Crowd } from './harness/crowd.js';
import { writeNames } from './harness/names.js';

const SIZES = [5, 25, 100, 300];
const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
/** @type {import('./harness/in-page.js').Camera} */
const ME = { kind: 'painted', colour: [92, 116, 138], name: 'Maya', portrait: { skin: '#e3b58c', hair: '#3a2218' } };
/** Some have no camera, as always; few talk at a time. */
const CROWD = ['--cameras', '0.86', '--seed', '7'];

const [folder = 'hundreds', ...sizes] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const names = writeNames(join(Call.out, 'names.txt'));
try {
  for (const size of sizes.length > 0 ? sizes.map(Number) : SIZES) await picture(size);
} finally {
  await closeSharedBrowser();
}

/** @param {number} size */
async function picture(size) {
  const call = await Call.open(`hundreds-${size}`);
  call.room = size > 50 ? 'all-hands' : 'monday-tea';
  /** @type {Crowd | undefined} */
  let crowd;
  try {
    const maya = await call.join('Maya Lindgren', { camera: ME, viewport: DESKTOP });
    const films = await makeFilms(maya.page, join(Call.out, 'films'));
    crowd = new Crowd(call, size - 1, ['--film', films, '--names', names, '--talk', String(0.7 / size), ...CROWD]);
    await crowd.isIn(maya);
    await take(maya, `${size}-desktop`);
    if (size === 100) {
      await maya.click('view-button');
      await take(maya, `${size}-speaker`);
      await maya.click('view-button');
    }
    if (size === 300) {
      await maya.click('people-button');
      await take(maya, `${size}-people`);
      await maya.click('people-button');
    }
    // Another kind of device is another page to the browser: it loads anew, and is back in the call.
    await maya.page.setViewport(PHONE);
    await maya.joined(30_000);
    await crowd.isIn(maya);
    await take(maya, `${size}-phone`);
  } catch (error) {
    console.error(call.server.log());
    await call.keepEvidence();
    throw error;
  } finally {
    await crowd?.end();
    await call.close();
  }
}

/**
 * Takes the picture when all cameras on screen are moving, and nothing else is.
 * @param {import('./harness/participant.js').Participant} who
 * @param {string} name
 */
async function take(who, name) {
  await who.until('all cameras on screen are there', 60_000, async () => {
    const tiles = window.__story.tiles().filter(({ local }) => local === 'false');
    const states = tiles.map(async ({ identity = '', video }) => {
      const on = window.__story.participantOf(identity)?.isCameraEnabled;
      if (!on) return true;
      return video === 'true' && ((await window.__story.inbound(identity, 'camera'))?.framesDecoded ?? 0) > 20;
    });
    const ready = await Promise.all(states);
    if (ready.length > 0 && ready.every(Boolean)) return true;
    throw new Error(`${ready.filter(Boolean).length} of ${ready.length}`);
  });
  // Tiles have moved to their places, and low layers made way for what the size asks for.
  await new Promise((done) => setTimeout(done, 2_500));
  const path = /** @type {`${string}.jpeg`} */ (join(folder, `${name}.jpeg`));
  await who.page.screenshot({ path, type: 'jpeg', quality: 82 });
  console.log(`written: ${path}`);
}
