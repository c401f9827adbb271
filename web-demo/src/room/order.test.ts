import { describe, expect, it } from 'vitest';
import { BRINGS_MS, reseat, swap, type Sitter, type View } from './order';

const FIRST = 4;
const NOW = 1_000_000;

const person = (identity: string, more: Partial<Sitter> = {}): Sitter => ({
  identity,
  camera: true,
  speaking: false,
  speaksSince: 0,
  spokeAt: 0,
  ...more,
});
const crowd = (letters: string) => [...letters].map((letter) => person(letter));
const view = (looking: string, first = FIRST): View => ({ first, looking: new Set(looking), now: NOW });
/** The crowd with some of it changed. */
const but = (people: Sitter[], ...changed: Sitter[]) =>
  people.map((each) => changed.find(({ identity }) => identity === each.identity) ?? each);
const seat = (before: string, people: Sitter[], of: View) => reseat([...before], people, of).join('');

describe('who comes', () => {
  it('sits down at the end, pictures first', () => {
    const people = [person('a', { camera: false }), person('b'), person('c', { camera: false }), person('d')];
    expect(seat('', people, view(''))).toBe('bdac');
    expect(seat('bdac', [...people, person('e')], view('bdac', 10))).toBe('bdace');
  });

  it('moves nobody in a large room', () => {
    expect(seat('abcdef', crowd('abcdefg'), view('abcd'))).toBe('abcdefg');
  });
});

describe('who leaves', () => {
  it('closes up on a single page', () => {
    expect(seat('abcd', crowd('acd'), view('abcd'))).toBe('acd');
  });

  it('gives the seat to one from pages out of sight, and nobody else moves', () => {
    expect(seat('abcdefgh', crowd('acdefgh'), view('abcd'))).toBe('ahcdefg');
  });

  it('rather to one with a picture', () => {
    const people = but(crowd('acdefgh'), person('h', { camera: false }));
    expect(seat('abcdefgh', people, view('abcd'))).toBe('agcdefh');
  });

  it('from another page changes nothing of what is looked at', () => {
    expect(seat('abcdefghij', crowd('acdefghij'), view('efgh')).slice(4, 8)).toBe('efgh');
  });

  it('in numbers leaves no gaps', () => {
    const left = reseat([...'abcdefghij'], crowd('cfj'), view('abcd'));
    expect([...left].sort().join('')).toBe('cfj');
  });
});

describe('who speaks', () => {
  it('comes to the first page in the place of who was silent for longest', () => {
    const people = but(
      crowd('abcdefgh'),
      ...['a', 'c', 'd'].map((identity) => person(identity, { spokeAt: NOW - 500 })),
      person('b', { spokeAt: NOW - 9_000 }),
      person('g', { speaking: true, spokeAt: NOW }),
    );
    expect(seat('abcdefgh', people, view('abcd'))).toBe('agcdefbh');
  });

  it('but not for a cough', () => {
    const coughs = person('g', { speaking: true, spokeAt: NOW, speaksSince: NOW - BRINGS_MS + 1 });
    expect(seat('abcdefgh', but(crowd('abcdefgh'), coughs), view('abcd'))).toBe('abcdefgh');
  });

  it('stays where one looks', () => {
    const people = but(crowd('abcdefgh'), person('f', { speaking: true, spokeAt: NOW }));
    expect(seat('abcdefgh', people, view('efgh'))).toBe('abcdefgh');
  });

  it('stays when being on the first page already', () => {
    const people = but(crowd('abcdefgh'), person('c', { speaking: true, spokeAt: NOW }));
    expect(seat('abcdefgh', people, view('abcd'))).toBe('abcdefgh');
  });

  it('does not drive out others who speak', () => {
    const talking = [...'abcdg'].map((identity) => person(identity, { speaking: true, spokeAt: NOW }));
    expect(seat('abcdefgh', but(crowd('abcdefgh'), ...talking), view('abcd'))).toBe('abcdefgh');
  });
});

describe('who has a picture', () => {
  it('takes a seat from a silent person without one', () => {
    const people = but(crowd('abcdefgh'), person('b', { camera: false }));
    expect(seat('abcdefgh', people, view('abcd'))).toBe('aecdbfgh');
  });

  it('but not from one who spoke just now', () => {
    const people = but(crowd('abcdefgh'), person('b', { camera: false, spokeAt: NOW - 5_000 }));
    expect(seat('abcdefgh', people, view('abcd'))).toBe('abcdefgh');
  });

  it('comes before those without, on pages out of sight only', () => {
    const dark = (letters: string) => [...letters].map((identity) => person(identity, { camera: false }));
    const people = but(crowd('abcdefghijkl'), ...dark('ei'));
    expect(seat('abcdefghijkl', people, view('efgh'))).toBe('abcdefghjkli');
  });
});

it('keeps everyone exactly once, whatever happens', () => {
  let state = 7;
  const dice = (sides: number) => (state = (state * 48_271) % 2_147_483_647) % sides;
  let seats: string[] = [];
  let people: Sitter[] = [];
  for (let step = 0; step < 400; step += 1) {
    people = people
      .filter(() => dice(12) > 0)
      .map((each) => ({ ...each, camera: dice(9) > 0 === each.camera, speaking: dice(9) === 0 }));
    for (let n = dice(4); n > 0; n -= 1) people.push(person(`p${step}-${n}`, { camera: dice(2) === 0 }));
    const looking = new Set(seats.slice(dice(20)).slice(0, FIRST));
    seats = reseat(seats, people, { first: FIRST, looking, now: step });
    expect([...seats].sort()).toEqual(people.map(({ identity }) => identity).sort());
  }
});

it('two swap their seats', () => {
  expect(swap([...'abcd'], 0, 2).join('')).toBe('cbad');
  expect(swap([...'abcd'], 0, 7).join('')).toBe('abcd');
});
