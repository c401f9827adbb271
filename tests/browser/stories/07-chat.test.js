// Chat both ways, also with what looks like markup.
import { story } from '../harness/story.js';

story('people chat', async (call) => {
  const [ana, ben] = [await call.join('ana'), await call.join('ben')];
  await ana.expectInRoom([ben]);
  await ben.expectInRoom([ana]);
  await ana.say('Hello Ben, selamat datang!');
  await ben.expectMessage(ana, 'Hello Ben, selamat datang!');
  await ben.say('<b>Hi</b> Ana 👋');
  await ana.expectMessage(ben, '<b>Hi</b> Ana 👋');
  await ana.expectMessage(ana, 'Hello Ben');
});
