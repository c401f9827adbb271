import { expect, it } from 'vitest';
import { hueOf, initialsOf } from './person';

it('takes initials of first and last word', () => {
  expect(initialsOf('ana')).toBe('A');
  expect(initialsOf('Ana Maria de Souza')).toBe('AS');
  expect(initialsOf('  ')).toBe('?');
  expect(initialsOf('👩‍🚀 Zoë')).toBe('👩‍🚀Z');
});

it('gives everyone a steady hue', () => {
  expect(hueOf('a')).toBe(hueOf('a'));
  expect(hueOf('a')).not.toBe(hueOf('b'));
  expect(hueOf('web-1')).toBeLessThan(360);
});
