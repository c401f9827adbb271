// Who leaves disappears for the others at once; who dies, soon.
import { story } from '../harness/story.js';

/** The time a dead tab may stay in the grid. */
const DEATH_MS = 20_000;

story('who leaves disappears', async (call) => {
  const [ana, ben] = [await call.join('ana'), await call.join('ben')];
  await ana.expectPicture(ben);
  const { identity } = ben;
  await ben.leave();
  await ana.expectGone(identity, { within: 3_000 });
  await ana.expectInRoom([]);

  // The way back in is the button on the page one leaves to.
  await ben.click('rejoin-button');
  await ben.joined();
  await ana.expectPicture(ben);
  await ben.expectPicture(ana);
});

story('a closed tab disappears', async (call) => {
  const [ana, ben] = [await call.join('ana'), await call.join('ben')];
  await ana.expectPicture(ben);
  await ben.close();
  await ana.expectGone(ben.identity, { within: DEATH_MS });
});

story('a killed browser disappears', async (call, t) => {
  const ana = await call.join('ana');
  const ben = await call.join('ben', { ownProcess: true });
  await ana.expectPicture(ben);
  const died = performance.now();
  ben.running.kill();
  await ana.expectGone(ben.identity, { within: DEATH_MS });
  t.diagnostic(`gone after ${Math.round(performance.now() - died)} ms`);
  await ana.expectInRoom([]);
});

story('a machine that falls silent disappears', async (call, t) => {
  const ana = await call.join('ana');
  const ben = await call.join('ben', { ownProcess: true });
  await ana.expectPicture(ben);
  const died = performance.now();
  ben.running.freeze();
  await ana.expectGone(ben.identity, { within: DEATH_MS });
  t.diagnostic(`gone after ${Math.round(performance.now() - died)} ms`);
  await ana.expectInRoom([]);
  ben.running.kill();
});
