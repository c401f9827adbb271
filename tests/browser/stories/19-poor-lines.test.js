// Real Chromium on a line that is narrow, and on one that loses packets: what the simulator promises holds for a browser.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Call } from '../harness/call.js';
import { makeFilm } from '../harness/film.js';
import { encodes, watchEncoder } from '../harness/encoder.js';
import { Frames, clock, longestFreeze, longestGap, passes } from '../harness/frames.js';
import { CAMERA, LOOKS_ON, MIDDLE, ONE_PORT, arriveOverLine } from '../harness/poor-line.js';
import { story } from '../harness/story.js';
import { poll } from '../harness/wait.js';

/** @typedef {import('../harness/frames.js').Shown} Shown */

/** So long without a frame on a good line, in ms. */
const STALL = 240;

/** With one encoder for all layers a machine of two cores has no time for more. */
const SMALL_CAMERA = /** @type {const} */ ({ kind: 'device', width: 640, height: 360, fps: 15 });

/**
 * Ana publishes a film; Cat sees it over a good line, so that all layers flow and we know what this machine can do; Ben is on his way over
 * a line that we make.
 * @param {Call} call
 * @param {Record<string, string>} [switches]  of Ana's page
 * @param {typeof CAMERA | typeof SMALL_CAMERA} [camera]
 */
async function people(call, switches = {}, camera = CAMERA) {
  const film = makeFilm(join(Call.out, 'before-a-bookshelf.y4m'));
  const ana = await call.join('ana', { film, camera, switches });
  const cat = await call.join('cat', LOOKS_ON);
  const good = await new Frames(cat, ana).watch();
  // With other codecs the encoder decides how large it can.
  await good.reach(switches.codec ? 0 : MIDDLE, 0, 30_000);

  const { line, enter } = await arriveOverLine(call, { rate: Infinity, delay: 20, loss: 0 });
  return { ana, good, line, enter: () => enter(ana) };
}

story(
  'the picture follows the width of the line',
  async (call, t) => {
    const { ana, good, line, enter } = await people(call);
    t.after(() => line.end());
    line.weather = { rate: Infinity, delay: 20, loss: 0 };
    const seen = await enter();
    const came = await seen.joined();
    const tell = (/** @type {string} */ words) => t.diagnostic(words);

    const top = await seen.reach(MIDDLE, 0, 20_000);
    tell(`the top layer is there ${((top - came) / 1_000).toFixed(1)} s after the join (at most 4)`);
    const encoder = await watchEncoder(ana);
    /** The line becomes narrow; returns when. */
    const narrows = async () => {
      line.weather = { rate: 3_000_000, delay: 20, loss: 0 };
      await seen.reach(MIDDLE, clock(), 20_000);
      await passes(5_000);
      const wide = line.seen(clock() - 3_000, clock());
      tell(`at 3 Mbit/s: ${(wide.rate / 1e6).toFixed(2)} Mbit/s, ${wide.dropped} of ${wide.packets} packets dropped`);
      const at = clock();
      line.weather = { rate: 500_000, delay: 20, loss: 0 };
      await passes(1_500);
      return at;
    };
    // A machine that stalls just then sends in one burst afterwards what it owes: that is another story.
    let narrow = await narrows();
    for (let again = 0; again < 2 && longestGap(await good.all(), narrow - 300, narrow + 1_000).ms > STALL; again += 1) {
      tell('the machine stalled while the line became narrow: once more');
      narrow = await narrows();
    }
    await passes(10_500);
    const widened = clock();
    line.weather = { rate: 3_000_000, delay: 20, loss: 0 };
    const again = await seen.reach(MIDDLE, widened, 20_000);
    tell(`full quality again ${((again - widened) / 1_000).toFixed(1)} s after the line is wide again (at most 10)`);

    // In steps of 100 ms: the first from which on the server sends no more than the line carries.
    const steps = Array.from({ length: 60 }, (_, n) => narrow + 100 * n);
    const down = steps.find((at) => line.seen(at, at + 300).rate <= 550_000) ?? Infinity;
    tell(`less is sent ${((down - narrow) / 1_000).toFixed(1)} s after the line became narrow (at most 1.0)`);
    const { queue } = line.seen(narrow + 2_000, widened);
    tell(`the longest queue, from 2 s on: ${queue.ms.toFixed(0)} ms, ${((queue.at - narrow) / 1_000).toFixed(1)} s after (at most 250)`);
    const used = line.seen(narrow + 4_000, widened);
    tell(`of 500 kbit/s ${(used.rate / 5_000).toFixed(0)}% is used, ${used.dropped} of ${used.packets} packets dropped`);
    const freeze = longestFreeze(await seen.all(), await good.all(), narrow - 1_000, again, await encoder.all());
    tell(`the longest freeze: ${freeze.ms.toFixed(0)} ms (${freeze.all.toFixed(0)} with what machine and encoder caused; at most 500)`);

    assert.ok(top - came <= 4_000, `the top layer came ${top - came} ms after the join`);
    assert.ok(down - narrow <= 1_000, `less was sent only ${down - narrow} ms after the line became narrow`);
    assert.ok(queue.ms <= 250, `a queue of ${queue.ms} ms, ${queue.at - narrow} ms after the line became narrow`);
    assert.ok(freeze.ms <= 500, `the picture stood still for ${freeze.ms} ms`);
    assert.ok(again - widened <= 10_000, `full quality took ${again - widened} ms`);
  },
  ONE_PORT,
);

story(
  'of one encoding with several layers in it a narrow line gets the smaller picture',
  async (call, t) => {
    const { good, line, enter } = await people(call, { codec: 'vp9' }, SMALL_CAMERA);
    t.after(() => line.end());
    line.weather = { rate: Infinity, delay: 20, loss: 0 };
    const seen = await enter();
    // The encoder makes all its layers smaller where the machine is busy, so what Cat sees is the measure.
    const asGood = (/** @type {string} */ words) =>
      poll(words, 20_000, async () => {
        const [mine, theirs] = [(await seen.all()).at(-1), (await good.all()).at(-1)];
        if (!mine || mine.height !== theirs?.height) throw new Error(`${mine?.height} lines, and ${theirs?.height} on a good line`);
        return mine.at;
      });
    await asGood('the largest layer comes');
    const narrow = clock();
    line.weather = { rate: 250_000, delay: 20, loss: 0 };
    await passes(8_000);
    const wide = clock();
    const during = (/** @type {Shown[]} */ frames) => frames.filter(({ at }) => at > narrow + 4_000 && at < wide).map(({ height }) => height);
    const [mine, theirs] = [during(await seen.all()), during(await good.all())];
    const used = line.seen(narrow + 4_000, wide);
    line.weather = { rate: Infinity, delay: 20, loss: 0 };
    t.diagnostic(`on 250 kbit/s: ${(used.rate / 1e3).toFixed(0)} kbit/s, ${mine.length} pictures in 4 s of ${Math.max(...mine)} lines, on a good line ${theirs.length} of ${Math.max(...theirs)}`);
    const again = await asGood('the largest layer comes again');
    t.diagnostic(`the largest layer again ${((again - wide) / 1_000).toFixed(1)} s after the line is wide again (at most 10)`);
    assert.ok(mine.length >= 8, `${mine.length} pictures in 4 s`);
    assert.ok(Math.max(...mine) < Math.min(...theirs), `${Math.max(...mine)} lines, and ${Math.min(...theirs)} on a good line`);
    assert.ok(used.rate <= 250_000, `${used.rate} bit/s`);
    assert.ok(again - wide <= 10_000, `the largest layer took ${again - wide} ms`);
  },
  ONE_PORT,
);

story(
  'what reaches nobody is not encoded',
  async (call, t) => {
    const film = makeFilm(join(Call.out, 'before-a-bookshelf.y4m'));
    const ana = await call.join('ana', { film, camera: CAMERA });
    // Of 500 kbit/s the middle picture may reach, with fewer frames and made to fit.
    const { line, enter } = await arriveOverLine(call, { rate: 300_000, delay: 20, loss: 0 });
    t.after(() => line.end());
    const seen = await enter(ana);
    await encodes(ana, 'all three layers are tried', 3);
    await encodes(ana, 'only the lowest is left, for no other fits', 1);
    const wide = clock();
    line.weather = { rate: Infinity, delay: 20, loss: 0 };
    const top = await seen.reach(MIDDLE, wide, 20_000);
    t.diagnostic(`full quality ${((top - wide) / 1_000).toFixed(1)} s after the line is wide (at most 10)`);
    assert.ok(top - wide <= 10_000, `full quality took ${top - wide} ms`);
  },
  ONE_PORT,
);

story(
  'a line that loses packets costs no picture',
  async (call, t) => {
    const { good, line, enter } = await people(call);
    t.after(() => line.end());
    line.weather = { rate: Infinity, delay: 50, loss: 0.05 };
    const seen = await enter();
    await seen.reach(MIDDLE, 0, 20_000);
    // The jitter buffer learns within some seconds how long a retransmission takes.
    await passes(5_000);
    const decoded = async () => [await seen.decoded(), await good.decoded()];
    const [before, from] = [await decoded(), clock()];
    await passes(60_000);
    const [after, to] = [await decoded(), clock()];
    const { dropped, packets } = line.seen(from, to);
    const [theirs, ours] = [await good.all(), await seen.all()];
    // A frame that isn't decoded lacked a packet at its moment, hardly ever two.
    const [mine = 0, all = 0] = after.map((frames, n) => frames - (before[n] ?? 0));
    const share = mine / all;
    const inTime = 1 - Math.max(0, all - mine) / packets;
    const count = (/** @type {Shown[]} */ frames) => frames.filter(({ at }) => at >= from && at < to).length;
    const freeze = longestFreeze(ours, theirs, from, to);
    t.diagnostic(`${dropped} of ${packets} packets lost on the way, ${(100 * inTime).toFixed(2)}% there in time (at least 99.5); decoded are ${(100 * share).toFixed(1)}% of the frames of a good line, shown ${((100 * count(ours)) / count(theirs)).toFixed(1)}%`);
    t.diagnostic(`the longest freeze in a minute: ${freeze.ms.toFixed(0)} ms (${freeze.all.toFixed(0)} with what the machine caused; at most 300)`);
    assert.ok(dropped / packets > 0.04, `the line lost only ${dropped} of ${packets}`);
    assert.ok(inTime >= 0.995, `${mine} frames of ${all} were decoded`);
    assert.ok(share >= 0.97, `${mine} frames of ${all} were decoded`);
    assert.ok(freeze.ms <= 300, `the picture stood still for ${freeze.ms} ms`);
  },
  ONE_PORT,
);
