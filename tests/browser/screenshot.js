// A picture of a real call, for the README: five people in one room, at desktop and at phone size.
//   npm run screenshot -- call.png      writes call.png and call-phone.png
import { Call, closeSharedBrowser } from './harness/call.js';

/** @type {{ name: string, colour: [number, number, number], skin: string, hair: string }[]} */
const PEOPLE = [
  { name: 'Ana', colour: [188, 96, 72], skin: '#e3b58c', hair: '#3a2218' },
  { name: 'Bima', colour: [70, 120, 150], skin: '#c08a5c', hair: '#1c1614' },
  { name: 'Chloé', colour: [120, 140, 80], skin: '#f0cfb0', hair: '#a8642c' },
  { name: 'Дмитро', colour: [130, 96, 150], skin: '#e8c4a0', hair: '#c9a45c' },
  { name: 'Emeka', colour: [196, 148, 70], skin: '#7c4e32', hair: '#15100e' },
];
const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844, deviceScaleFactor: 2, isMobile: true, hasTouch: true };

const file = process.argv[2] ?? 'call.png';
const call = await Call.open('screenshot');
try {
  call.room = 'monday-tea';
  const people = [];
  for (const { name, colour, ...portrait } of PEOPLE) {
    const camera = /** @type {const} */ ({ kind: 'painted', colour, name, portrait });
    people.push(await call.join(name, { camera, viewport: DESKTOP, switches: name === 'Bima' ? { audio: '0' } : {} }));
  }
  const [ana, ...others] = people;
  if (!ana) throw new Error('nobody came');
  await take(ana, others, file);
  // Another kind of device is another page to the browser: it loads anew, and is back in the call.
  await ana.page.setViewport(PHONE);
  await ana.joined();
  await take(ana, others, file.replace(/(\.png)?$/, '-phone.png'));
  console.log(`written: ${file}`);
} catch (error) {
  console.error(call.server.log());
  throw error;
} finally {
  await call.close();
  await closeSharedBrowser();
}

/**
 * Takes the picture when everyone is on it, and sharp.
 * @param {import('./harness/participant.js').Participant} who
 * @param {import('./harness/participant.js').Participant[]} others
 * @param {string} path
 */
async function take(who, others, path) {
  await who.expectInRoom(others, 30_000);
  for (const other of others) {
    await who.expectPicture(other, { within: 30_000 });
    await who.until(`${other.name} is sharp`, 60_000, sharp, other.identity);
  }
  await who.until('the own camera', 10_000, (me) => window.__story.pixels(me, 'camera'), who.identity);
  await who.until('microphone and camera on, nothing in motion', 10_000, () => {
    const on = ['mic-button', 'camera-button'].map((id) => document.querySelector(`[data-testid=${id}]`));
    const settled = document.getAnimations().every((animation) => animation.playState !== 'running');
    return settled && on.every((button) => button?.getAttribute('aria-pressed') === 'true');
  });
  await who.page.screenshot({ path: /** @type {`${string}.png`} */ (path) });
}

/** Bit rates start low: a picture is good after some frames. @param {string} identity */
async function sharp(identity) {
  return ((await window.__story.inbound(identity, 'camera'))?.framesDecoded ?? 0) > 120;
}
