// Real Chromium on a line that is narrow, and on one that loses packets: what the simulator promises holds for a browser.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Call } from '../harness/call.js';
import { makeFilm } from '../harness/film.js';
import { Frames, clock, longestFreeze, passes } from '../harness/frames.js';
import { Line, leadOver } from '../harness/line.js';
import { network } from '../harness/network.js';
import { story } from '../harness/story.js';

/** @typedef {import('../harness/frames.js').Shown} Shown */

const CAMERA = /** @type {const} */ ({ kind: 'device', width: 1280, height: 720, fps: 15 });
/** Large enough for the page to ask for the best layer of one who is alone with them. */
const VIEWPORT = { width: 1600, height: 1000 };
const LOOKS_ON = { switches: { video: '0', audio: '0' }, viewport: VIEWPORT };
const TOP = 720;

/**
 * Ana publishes a film; Cat sees it over a good line, so that all layers flow and we know what this machine can do; Ben is on his way over
 * a line that we make.
 * @param {Call} call
 */
async function people(call) {
  const film = makeFilm(join(Call.out, 'film.y4m'));
  const ana = await call.join('ana', { film, camera: CAMERA });
  const cat = await call.join('cat', LOOKS_ON);
  const good = await new Frames(cat, ana).watch();
  await good.reach(TOP, 0, 30_000);

  const server = { address: network().serverAddress, port: call.server.udpBasePort };
  const line = await new Line(server).open();
  const ben = await call.arrive('ben', LOOKS_ON);
  await ben.page.evaluateOnNewDocument(leadOver, server, line.port);
  const enter = async () => {
    await ben.open(`/r/${call.room}`, { name: 'ben', autojoin: '1', ...LOOKS_ON.switches });
    await ben.joined();
    return new Frames(ben, ana).watch();
  };
  return { ana, ben, good, line, enter };
}

/** One worker, so that media has one port. */
const ONE_PORT = { server: ['--workers', '1'], timeout: 180_000 };

story(
  'the picture follows the width of the line',
  async (call, t) => {
    const { good, line, enter } = await people(call);
    t.after(() => line.end());
    line.weather = { rate: Infinity, delay: 20, loss: 0 };
    const seen = await enter();
    const came = clock();
    const tell = (/** @type {string} */ words) => t.diagnostic(words);

    const top = await seen.reach(TOP, 0, 20_000);
    tell(`the top layer is there ${((top - came) / 1_000).toFixed(1)} s after the join (at most 4)`);
    line.weather = { rate: 3_000_000, delay: 20, loss: 0 };
    await passes(5_000);
    const wide = line.seen(clock() - 3_000, clock());
    tell(`at 3 Mbit/s: ${(wide.rate / 1e6).toFixed(2)} Mbit/s, ${wide.dropped} of ${wide.packets} packets dropped`);

    const narrow = clock();
    line.weather = { rate: 500_000, delay: 20, loss: 0 };
    await passes(12_000);
    const widened = clock();
    line.weather = { rate: 3_000_000, delay: 20, loss: 0 };
    const again = await seen.reach(TOP, widened, 20_000);
    tell(`full quality again ${((again - widened) / 1_000).toFixed(1)} s after the line is wide again (at most 10)`);

    // In steps of 100 ms: the first from which on the server sends no more than the line carries.
    const steps = Array.from({ length: 60 }, (_, n) => narrow + 100 * n);
    const down = steps.find((at) => line.seen(at, at + 300).rate <= 550_000) ?? Infinity;
    tell(`less is sent ${((down - narrow) / 1_000).toFixed(1)} s after the line became narrow (at most 1.0)`);
    const { queue } = line.seen(narrow + 2_000, widened);
    tell(`the longest queue, from 2 s on: ${queue.toFixed(0)} ms (at most 250)`);
    const used = line.seen(narrow + 4_000, widened);
    tell(`of 500 kbit/s ${(used.rate / 5_000).toFixed(0)}% is used, ${used.dropped} of ${used.packets} packets dropped`);
    const freeze = longestFreeze(await seen.all(), await good.all(), narrow - 1_000, again);
    tell(`the longest freeze: ${freeze.ms.toFixed(0)} ms (${freeze.all.toFixed(0)} with what the machine caused; at most 500)`);

    assert.ok(top - came <= 4_000, `the top layer came ${top - came} ms after the join`);
    assert.ok(down - narrow <= 1_000, `less was sent only ${down - narrow} ms after the line became narrow`);
    assert.ok(queue <= 250, `a queue of ${queue} ms stayed`);
    assert.ok(freeze.ms <= 500, `the picture stood still for ${freeze.ms} ms`);
    assert.ok(again - widened <= 10_000, `full quality took ${again - widened} ms`);
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
    await seen.reach(TOP, 0, 20_000);
    // The jitter buffer learns within some seconds how long a retransmission takes.
    await passes(5_000);
    const from = clock();
    await passes(60_000);
    const to = clock();
    const { dropped, packets } = line.seen(from, to);
    const [theirs, ours] = [await good.all(), await seen.all()];
    const count = (/** @type {Shown[]} */ frames) => frames.filter(({ at }) => at >= from && at < to).length;
    const share = count(ours) / count(theirs);
    const freeze = longestFreeze(ours, theirs, from, to);
    t.diagnostic(`${dropped} of ${packets} packets lost on the way; shown are ${(100 * share).toFixed(1)}% of the frames of a good line`);
    t.diagnostic(`the longest freeze in a minute: ${freeze.ms.toFixed(0)} ms (${freeze.all.toFixed(0)} with what the machine caused; at most 300)`);
    assert.ok(dropped / packets > 0.04, `the line lost only ${dropped} of ${packets}`);
    assert.ok(share >= 0.995, `${count(ours)} frames of ${count(theirs)} were shown`);
    assert.ok(freeze.ms <= 300, `the picture stood still for ${freeze.ms} ms`);
  },
  ONE_PORT,
);
