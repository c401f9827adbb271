// Five people in one room, who come and go in any order; each always sees all others, and each the right one.
import { story } from '../harness/story.js';

/** Decides the order. A seed that once found a fault gets a name and stays here. */
const SEED = Number(process.env.RAMAI_STORIES_SEED ?? 20_261);
const STEPS = 6;

/** @type {Record<string, [number, number, number]>} Told apart in every channel's error of encoding. */
const PEOPLE = {
  ana: [200, 40, 40],
  ben: [40, 170, 60],
  cleo: [50, 70, 210],
  dana: [200, 170, 30],
  eli: [150, 50, 170],
};

story(
  'five come and go in any order',
  async (call, t) => {
    t.diagnostic(`seed ${SEED}`);
    const random = mulberry(SEED);
    /** @type {Map<string, import('../harness/participant.js').Participant>} */
    const inside = new Map();
    const come = async (/** @type {string} */ name) => {
      const colour = PEOPLE[name] ?? [0, 0, 0];
      inside.set(name, await call.join(name, { camera: { kind: 'painted', colour, name } }));
    };
    const allAgree = async () => {
      const people = [...inside.values()];
      for (const person of people) await person.expectInRoom(people.filter((other) => other !== person));
    };
    const allSeeAll = async () => {
      const people = [...inside.values()];
      for (const person of people) {
        for (const other of people) if (other !== person) await person.expectPicture(other);
      }
    };

    for (const name of shuffled(Object.keys(PEOPLE), random)) await come(name);
    await allAgree();
    await allSeeAll();

    for (let step = 0; step < STEPS; step += 1) {
      const outside = Object.keys(PEOPLE).filter((name) => !inside.has(name));
      const leaves = outside.length === 0 || (inside.size > 2 && random() < 0.5);
      const name = /** @type {string} */ (shuffled(leaves ? [...inside.keys()] : outside, random)[0]);
      if (leaves) {
        await inside.get(name)?.goHome();
        inside.delete(name);
      } else {
        await come(name);
      }
      await allAgree();
    }
    for (const name of Object.keys(PEOPLE)) if (!inside.has(name)) await come(name);
    await allAgree();
    await allSeeAll();
  },
  { timeout: 170_000 },
);

/** @template T @param {T[]} list  @param {() => number} random  @returns {T[]} */
function shuffled(list, random) {
  return list
    .map((item) => ({ item, key: random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}

/** A small seeded generator of numbers in [0, 1). @param {number} seed */
function mulberry(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
