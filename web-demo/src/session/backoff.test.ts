import { expect, it } from 'vitest';
import { backoff } from './backoff';

it('doubles and then stays', () => {
  expect([1, 2, 3, 4, 5, 6, 1000].map((n) => backoff(n, 0.5))).toEqual([
    500, 1000, 2000, 4000, 8000, 8000, 8000,
  ]);
});

it('spreads attempts over half to one and a half of it', () => {
  expect(backoff(3, 0)).toBe(1000);
  expect(backoff(3, 0.999)).toBe(2998);
});
