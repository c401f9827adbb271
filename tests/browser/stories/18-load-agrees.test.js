// The load generator counts what a browser counts: Chromium and one of its light participants receive the same tracks at the
// same time, and their accounts agree.
import assert from 'node:assert/strict';
import { load } from '../harness/load.js';
import { story } from '../harness/story.js';

/** @typedef {{ at: number, audio: Counted, video: Counted }} Sample  `at` in ms of the page's clock */
/** @typedef {{ packetsReceived: number, bytesReceived: number, packetsLost: number, framesReceived: number, jitter: number }} Counted */

/** Who publishes, as the load generator calls it. */
const PUBLISHER = 'publisher-1';
const SECONDS = 15;
/** Between looks at Chromium's counters; what is under way at the ends of the measured time makes the rest of the difference. */
const PAUSE_MS = 100;
const TOLERANCE = 0.03;

/** Chromium's counters of what the publisher sends; nothing while a track is missing. Runs inside the page. @param {string} identity */
async function look(identity) {
  /** @param {string} source */
  const counted = async (source) => {
    const track = window.__story.participantOf(identity)?.getTrackPublication(source)?.track;
    const report = await track?.getRTCStatsReport?.();
    const stats = [...(report?.values() ?? [])].find((each) => each.type === 'inbound-rtp');
    if (!stats) return undefined;
    const { packetsReceived, bytesReceived, packetsLost, framesReceived = 0, jitter } = stats;
    return { at: Number(stats.timestamp), packetsReceived, bytesReceived, packetsLost, framesReceived, jitter };
  };
  const [audio, video] = [await counted('microphone'), await counted('camera')];
  return audio && video ? { at: audio.at, audio, video } : undefined;
}

/**
 * Those of the measured time: the publisher falls silent at its end, and it was so long.
 * @param {Sample[]} samples
 * @param {number} seconds
 */
function measured(samples, seconds) {
  const total = samples.at(-1)?.audio.packetsReceived;
  const end = samples.find((sample) => sample.audio.packetsReceived === total);
  const begin = samples.findLast((sample) => sample.at <= (end?.at ?? 0) - 1_000 * seconds);
  assert.ok(begin && end, `Chromium received all the measured time: ${JSON.stringify([samples[0], end])}`);
  return { begin, end, seconds: (end.at - begin.at) / 1_000 };
}

story('the load generator and Chromium count the same', async (call, t) => {
  // Looks on only, and is there before anything is sent.
  const ana = await call.join('ana', { switches: { video: '0', audio: '0' } });
  const broadcast = ['--scenario', 'broadcast', '--publishers', '1', '--participants', '1', '--layers', '1', '--check-share', '1'];
  // The light receiver comes 5 s after the publisher, which Chromium receives by then; and gets all of the camera when its line was tried.
  const times = ['--join-rate', '0.2', '--settle', '4s', '--duration', `${SECONDS}s`];
  let running = true;
  const account = load(call, [...broadcast, ...times]).finally(() => (running = false));
  // Awaited below; a failure before that is no unhandled one.
  account.catch(() => undefined);
  /** @type {Sample[]} */
  const samples = [];
  while (running) {
    const sample = await ana.evaluate(look, PUBLISHER);
    if (sample) samples.push(sample);
    await new Promise((done) => setTimeout(done, PAUSE_MS));
  }
  const theirs = await account;
  const ours = measured(samples, theirs.seconds);

  const rate = (/** @type {'audio' | 'video'} */ kind, /** @type {keyof Counted} */ what) =>
    (ours.end[kind][what] - ours.begin[kind][what]) / ours.seconds;
  const agree = (/** @type {string} */ what, /** @type {number} */ browser, /** @type {number} */ generator) => {
    const apart = Math.abs(browser - generator) / generator;
    t.diagnostic(`${what} in a second: Chromium ${browser.toFixed(2)}, ramai-load ${generator.toFixed(2)} (${(100 * apart).toFixed(2)}%)`);
    assert.ok(generator > 0 && apart <= TOLERANCE, `${what} in a second: Chromium ${browser}, ramai-load ${generator}`);
  };
  const { audio_per_second: sounds, video_per_second: pictures, per_second: packets } = theirs.packets;
  agree('packets', rate('audio', 'packetsReceived') + rate('video', 'packetsReceived'), packets);
  agree('audio packets', rate('audio', 'packetsReceived'), sounds);
  agree('video packets', rate('video', 'packetsReceived'), pictures);
  agree('frames', rate('video', 'framesReceived'), theirs.pictures.per_second);
  for (const kind of /** @type {const} */ (['audio', 'video'])) {
    t.diagnostic(`${kind} jitter in Chromium: ${(1_000 * ours.end[kind].jitter).toFixed(1)} ms`);
    assert.equal(ours.end[kind].packetsLost, 0, `Chromium lost no ${kind}`);
    assert.equal(theirs.packets[kind].lost, 0, `ramai-load lost no ${kind}`);
  }
});
