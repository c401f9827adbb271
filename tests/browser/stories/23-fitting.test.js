// Real Chromium as the only one who watches, on a line that is too narrow for the largest picture as its publisher would send it.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Call } from '../harness/call.js';
import { makeFilm } from '../harness/film.js';
import { clock, passes } from '../harness/frames.js';
import { CAMERA, MIDDLE, ONE_PORT, arriveOverLine } from '../harness/poor-line.js';
import { story } from '../harness/story.js';
import { poll } from '../harness/wait.js';

story(
  'the largest picture is made to fit the line of the only one who watches',
  async (call, t) => {
    const film = makeFilm(join(Call.out, 'before-a-bookshelf.y4m'));
    const ana = await call.join('ana', { film, camera: CAMERA });
    const { line, enter } = await arriveOverLine(call, { rate: Infinity, delay: 20, loss: 0 });
    t.after(() => line.end());
    const seen = await enter(ana);
    const all = (/** @type {string} */ words) =>
      poll(words, 40_000, async () => {
        const { rate } = line.seen(clock() - 2_000, clock());
        if (rate < 1_600_000) throw new Error(`${rate} bit/s`);
        return clock();
      });
    await seen.reach(MIDDLE, 0, 30_000);
    await all('all of the largest picture comes');
    // The largest takes 1.7 Mbit/s by itself, and the next 450 kbit/s.
    const narrow = clock();
    line.weather = { rate: 1_300_000, delay: 20, loss: 0 };
    const { from, to, shown, large } = await poll('most of what ben sees is large', 60_000, async () => {
      await passes(500);
      const to = clock();
      const from = to - 10_000;
      const shown = (await seen.all()).filter(({ at }) => at >= from && at < to);
      const large = shown.filter(({ height }) => height > MIDDLE);
      if (from < narrow + 2_000 || shown.length < 100 || large.length < 0.7 * shown.length) throw new Error(`${large.length} of ${shown.length} pictures in 10 s, of ${[...new Set(shown.map(({ height }) => height))].join(', ')} lines`);
      return { from, to, shown, large };
    });
    const used = line.seen(from, to);
    t.diagnostic(`from ${((from - narrow) / 1_000).toFixed(1)} s after the line became narrow: on 1.3 Mbit/s ${(used.rate / 1e6).toFixed(2)} Mbit/s, ${large.length} of ${shown.length} pictures in 10 s are of the largest (${[...new Set(large.map(({ height }) => height))].join(', ')} lines), ${used.dropped} of ${used.packets} packets dropped, the longest queue ${used.queue.ms.toFixed(0)} ms`);
    const wide = clock();
    line.weather = { rate: Infinity, delay: 20, loss: 0 };
    const whole = await all('the limit is lifted');
    t.diagnostic(`all of it ${((whole - wide) / 1_000).toFixed(1)} s after the line is wide (at most 10)`);
    // Without a limit only 500 kbit/s would fit, with a voice on it.
    assert.ok(used.rate > 600_000 && used.rate <= 1_300_000, `${used.rate} bit/s`);
    assert.ok(whole - wide <= 10_000, `the limit was there for ${whole - wide} ms`);
  },
  ONE_PORT,
);
