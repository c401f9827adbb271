// When each frame of somebody's picture was shown, by the page's own account, and how long the picture stood still.
import { clock } from './line.js';
import { poll } from './wait.js';

/** @typedef {{ at: number, height: number }} Shown  `at`: when, on the wall clock in ms; `height` in pixels of the layer */

export class Frames {
  /** @param {import('./participant.js').Participant} viewer  @param {import('./participant.js').Participant} of */
  constructor(viewer, of) {
    this.viewer = viewer;
    this.of = of;
  }

  /** Starts noting; the picture need not be there yet. */
  async watch() {
    await this.viewer.evaluate((identity) => {
      /** @type {Shown[]} */
      const shown = [];
      /** @type {HTMLVideoElement | null | undefined} */
      let watched;
      const look = () => {
        const video = window.__story.tileOf(identity, 'camera')?.querySelector('video');
        if (video && video !== watched) {
          watched = video;
          const note = () => {
            shown.push({ at: performance.timeOrigin + performance.now(), height: video.videoHeight });
            if (video === watched) video.requestVideoFrameCallback(note);
          };
          video.requestVideoFrameCallback(note);
        }
      };
      look();
      setInterval(look, 50);
      Object.assign(window, { __shown: shown });
    }, this.of.identity);
    return this;
  }

  /** All so far. @returns {Promise<Shown[]>} */
  all() {
    return this.viewer.evaluate(() => /** @type {any} */ (window).__shown);
  }

  /** When the viewer's join was answered. @returns {Promise<number>} */
  joined() {
    return this.viewer.evaluate(
      () => performance.timeOrigin + (window.__story.timeline.find(({ event }) => event === 'signalConnected')?.at ?? 0),
    );
  }

  /** Frames decoded so far, whether there was a moment to show them or not. */
  async decoded() {
    const inbound = await this.viewer.evaluate((identity) => window.__story.inbound(identity, 'camera'), this.of.identity);
    return inbound?.framesDecoded ?? 0;
  }

  /** Waits until a picture of more than so many lines is shown; returns when that was. @param {number} lines  @param {number} since  @param {number} within */
  async reach(lines, since, within) {
    return poll(`${this.viewer.name} sees more than ${lines} lines`, within, async () => {
      const found = (await this.all()).find(({ at, height }) => at >= since && height > lines);
      if (found) return found.at;
      throw new Error(`the last frame is ${JSON.stringify((await this.all()).at(-1))}`);
    });
  }
}

/** A queue of 64 KiB before 500 kbit/s, in ms. */
const LONGEST_QUEUE = 1_100;
/** Lines of the lowest of three layers of 720. */
const LOWEST = 180;

/** Waits. Only for time that is part of the story: how long the weather lasts. @param {number} ms */
export const passes = (ms) => new Promise((done) => setTimeout(done, ms));

/**
 * The longest time between two frames, with the ends of the time looked at. @param {{ at: number }[]} frames  @param {number} from  @param {number} to
 * @returns {{ from: number, to: number, ms: number }}
 */
export function longestGap(frames, from, to) {
  const times = [from, ...frames.map(({ at }) => at).filter((at) => at > from && at < to), to];
  let longest = { from, to: from, ms: 0 };
  for (let n = 1; n < times.length; n += 1) {
    const [begin = 0, end = 0] = [times[n - 1], times[n]];
    if (end - begin > longest.ms) longest = { from: begin, to: end, ms: end - begin };
  }
  return longest;
}

/**
 * How long a picture stood still beyond what it did at the same time for somebody on a good line: where nobody got frames it was the
 * machine that had no time for them; and, where a picture of the lowest layer ended it, beyond what its encoder paused, as long before as a
 * queue may have held frames back.
 * @param {Shown[]} frames
 * @param {Shown[]} reference
 * @param {number} from
 * @param {number} to
 * @param {{ at: number }[]} [encoded]
 */
export function longestFreeze(frames, reference, from, to, encoded = []) {
  let worst = { ms: 0, all: 0 };
  const times = [from, ...frames.map(({ at }) => at).filter((at) => at > from && at < to), to];
  for (let n = 1; n < times.length; n += 1) {
    const [begin = 0, end = 0] = [times[n - 1], times[n]];
    const small = (frames.find(({ at }) => at === end)?.height ?? Infinity) <= LOWEST;
    const paused = encoded.filter(({ at }) => small && at > begin - LONGEST_QUEUE && at < end);
    const [first, last] = [paused[0]?.at ?? begin, paused.at(-1)?.at ?? begin];
    const excused = Math.max(longestGap(reference, begin - 50, end + 50).ms, longestGap(paused, first, last).ms);
    const usual = 1_000 / 15;
    const ms = end - begin - Math.max(0, excused - 2 * usual);
    if (ms > worst.ms) worst = { ms, all: end - begin };
  }
  return worst;
}

export { clock };
