import { expect, it } from 'vitest';
import { HOLD_MS, nextOnStage, type Voice } from './speaker';

const voice = (identity: string, speaking = false, spokeAt = 0): Voice => ({
  identity,
  local: identity === 'me',
  speaking,
  spokeAt,
});

it('whoever speaks comes on, and stays while silent', () => {
  const on = nextOnStage(undefined, [voice('me'), voice('a'), voice('b', true, 10)], ['b'], 10);
  expect(on).toEqual({ identity: 'b', since: 10 });
  expect(nextOnStage(on, [voice('me'), voice('a'), voice('b', false, 20)], [], 60_000)).toBe(on);
});

it('an interjection does not take the stage from one who speaks', () => {
  const on = { identity: 'b', since: 0 };
  expect(nextOnStage(on, [voice('a', true), voice('b', true)], ['a', 'b'], 60_000)).toBe(on);
});

it('the next speaker waits until the last one has had their time', () => {
  const on = { identity: 'b', since: 1_000 };
  const voices = [voice('a', true), voice('b')];
  expect(nextOnStage(on, voices, ['a'], 1_000 + HOLD_MS - 1)).toBe(on);
  expect(nextOnStage(on, voices, ['a'], 1_000 + HOLD_MS)?.identity).toBe('a');
});

it('who left makes way at once', () => {
  const on = { identity: 'b', since: 1_000 };
  expect(nextOnStage(on, [voice('a'), voice('c', false, 7)], [], 1_001)?.identity).toBe('c');
});

it('oneself only when nobody else is there', () => {
  expect(nextOnStage(undefined, [voice('me', true), voice('a')], ['me'], 5)?.identity).toBe('a');
  expect(nextOnStage(undefined, [voice('me')], [], 5)?.identity).toBe('me');
  expect(nextOnStage(undefined, [], [], 5)).toBeUndefined();
});
