// The server dies in the middle of a call and comes back, and so does the call.
import { story } from '../harness/story.js';

for (const [title, switches] of /** @type {[string, Record<string, string>][]} */ ([
  ['the server is killed and comes back', {}],
  ['the server is killed under two peer connections and comes back', { pc: 'dual' }],
])) {
  story(title, async (call) => {
    const [ana, ben] = [await call.join('ana', { switches }), await call.join('ben', { switches })];
    await ana.expectPicture(ben);
    await ben.expectPicture(ana);

    await call.server.stop('SIGKILL');
    await ana.expectNotice('reconnecting');
    await ben.expectNotice('reconnecting');

    await call.server.start();
    await ana.joined(60_000);
    await ben.joined(60_000);
    await ana.expectToSeeAndHear(ben);
    await ben.expectToSeeAndHear(ana);
    await ana.expectInRoom([ben]);
    const noNotice = () => window.__story.notices().length === 0;
    await ana.until('ana is told of nothing any more', 5_000, noNotice);
  });
}

story('the server stops in order', async (call) => {
  const ana = await call.join('ana');
  const code = await call.server.stop('SIGTERM');
  if (code !== 0) throw new Error(`it ended with ${code}`);
  await ana.expectNotice('reconnecting');
});
