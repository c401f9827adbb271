// Whether the page stays responsive in a large room: one real Chromium among the load generator's people, all with microphone and
// camera, for a minute. The numbers are in docs/HUNDREDS.md.
//   npm run responsive -- 300 [seconds]
import { join } from 'node:path';
import { makeFilms } from './harness/actors.js';
import { Call, closeSharedBrowser } from './harness/call.js';
import { Crowd } from './harness/crowd.js';
import { writeNames } from './harness/names.js';

/** A task longer than this is felt, milliseconds. */
const LONG_MS = 200;
/** Frames a second of the films; a tile that gets nearly all of them plays. */
const FPS = 15;
const PLAYS = 0.8 * FPS;
/** Joining, subscribing and first key frames aren't the steady state. */
const SETTLE_MS = 10_000;
/** Between two looks; a camera counts in a window if it is on screen at both ends. */
const WINDOW_MS = 5_000;

const people = Number(process.argv[2] ?? 300);
const seconds = Number(process.argv[3] ?? 60);
const call = await Call.open('responsive');
/** @type {Crowd | undefined} */
let crowd;
try {
  const ana = await call.join('Ana Pereira', { viewport: { width: 1280, height: 800 }, switches: { video: '0' } });
  const films = await makeFilms(ana.page, join(Call.out, 'films'));
  const names = writeNames(join(Call.out, 'names.txt'));
  crowd = new Crowd(call, people - 1, ['--film', films, '--names', names, '--talk', String(1 / people)]);
  await crowd.isIn(ana);
  await new Promise((done) => setTimeout(done, SETTLE_MS));
  const session = await ana.page.createCDPSession();
  await session.send('Performance.enable');
  const metrics = async () => {
    const { metrics: list } = await session.send('Performance.getMetrics');
    return Object.fromEntries(list.map(({ name, value }) => [name, value]));
  };
  const before = await metrics();
  await ana.evaluate(() => {
    /** @type {number[]} */
    const tasks = [];
    new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => tasks.push(duration))).observe({ type: 'longtask' });
    Object.assign(window, { __tasks: tasks });
  });
  /** @type {{ playing: number, shown: number, rates: number[] }[]} */
  const windows = [];
  const begun = performance.now();
  let last = await frames(ana);
  while (performance.now() - begun < 1_000 * seconds) {
    const first = last;
    await new Promise((done) => setTimeout(done, WINDOW_MS));
    last = await frames(ana);
    windows.push(compare(first, last));
  }
  const took = (performance.now() - begun) / 1_000;
  const after = await metrics();
  /** @type {number[]} */
  const tasks = await ana.evaluate(() => /** @type {any} */ (window).__tasks);

  const rates = windows.flatMap((window) => window.rates).sort((x, y) => x - y);
  const playing = windows.map((window) => window.playing).sort((x, y) => x - y);
  const middle = (/** @type {number[]} */ list) => list[list.length >> 1] ?? 0;
  console.log(
    JSON.stringify(
      {
        people,
        seconds: Number(took.toFixed(1)),
        camerasOnScreen: middle(windows.map((window) => window.shown).sort((x, y) => x - y)),
        camerasPlaying: { median: middle(playing), least: playing[0] },
        framesPerSecondOfOne: { median: Number(middle(rates).toFixed(1)), p5: Number((rates[Math.floor(rates.length / 20)] ?? 0).toFixed(1)) },
        tasksOver50ms: tasks.length,
        longestTaskMs: Math.round(Math.max(0, ...tasks)),
        tasksOver200ms: tasks.filter((task) => task > LONG_MS).length,
        mainThreadBusy: share(before, after, 'TaskDuration', took),
        script: share(before, after, 'ScriptDuration', took),
        nodes: after.Nodes,
        heapMiB: Number(((after.JSHeapUsedSize ?? 0) / 1_048_576).toFixed(1)),
      },
      undefined,
      2,
    ),
  );
} catch (error) {
  console.error(call.server.log());
  throw error;
} finally {
  await crowd?.end();
  await call.close();
  await closeSharedBrowser();
}

/** Frames decoded so far of each camera on screen, by stream. @param {import('./harness/participant.js').Participant} who */
function frames(who) {
  return who.evaluate(async () => {
    const tiles = window.__story.tiles().filter(({ local }) => local === 'false');
    /** By stream: who left the screen and came back begins anew. @type {Record<string, number>} */
    const decoded = {};
    await Promise.all(
      tiles.map(async ({ identity = '' }) => {
        const track = window.__story.participantOf(identity)?.getTrackPublication('camera')?.track;
        if (track) decoded[track.mediaStreamID] = (await window.__story.inbound(identity, 'camera'))?.framesDecoded ?? 0;
      }),
    );
    return { at: performance.now(), decoded };
  });
}

/**
 * Of the cameras that were on screen at both times: how many play, and how fast. @param {Awaited<ReturnType<typeof frames>>} first
 * @param {Awaited<ReturnType<typeof frames>>} last
 */
function compare(first, last) {
  const seconds = (last.at - first.at) / 1_000;
  const both = Object.keys(last.decoded).filter((track) => track in first.decoded);
  const rates = both.map((track) => ((last.decoded[track] ?? 0) - (first.decoded[track] ?? 0)) / seconds);
  return { playing: rates.filter((rate) => rate >= PLAYS).length, shown: both.length, rates };
}

/** @param {Record<string, number>} before  @param {Record<string, number>} after  @param {string} what  @param {number} seconds */
function share(before, after, what, seconds) {
  return `${((100 * ((after[what] ?? 0) - (before[what] ?? 0))) / seconds).toFixed(1)}%`;
}
