// Makes up friendly room names: easy to say on the phone, hard enough to meet by chance.

const FEELS = (
  'amber bright breezy calm cosy curious dancing early gentle golden happy hidden humming jolly kind lively lucky ' +
  'mellow merry misty playful quiet rosy shiny silver sleepy sunny swift velvet warm wild winding'
).split(' ');
const THINGS = (
  'badger bay brook cedar comet coral fern field fjord garden grove harbor heron island juniper lagoon lantern ' +
  'maple meadow mango otter palm pebble pepper reef ridge river sparrow spring summit tide valley'
).split(' ');

const pick = (words: string[], random: number) => words[random % words.length] ?? 'ramai';

export function suggestRoom(): string {
  const [feel = 0, thing = 0, number = 0] = crypto.getRandomValues(new Uint16Array(3));
  return `${pick(FEELS, feel)}-${pick(THINGS, thing)}-${100 + (number % 900)}`;
}
