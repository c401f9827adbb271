import { describe, expect, it } from 'vitest';
import { arrange, type Arrangement, type Box, type Rect } from './arrange';

const DESK: Box = { width: 1240, height: 640 };
const PHONE: Box = { width: 370, height: 640 };

const overlap = (a: Rect, b: Rect) =>
  a.x < b.x + b.width - 0.01 &&
  b.x < a.x + a.width - 0.01 &&
  a.y < b.y + b.height - 0.01 &&
  b.y < a.y + a.height - 0.01;

function expectTidy({ rects, height }: Arrangement, box: Box) {
  for (const [i, rect] of rects.entries()) {
    expect(rect.x).toBeGreaterThanOrEqual(-0.01);
    expect(rect.x + rect.width).toBeLessThanOrEqual(box.width + 0.01);
    expect(rect.y + rect.height).toBeLessThanOrEqual(height + 0.01);
    for (const other of rects.slice(i + 1)) expect(overlap(rect, other)).toBe(false);
  }
}

describe.each([
  ['desk', DESK],
  ['phone', PHONE],
])('on a %s', (_, box) => {
  it.each([1, 2, 3, 4, 5, 7, 9, 16, 25, 49, 200])('%i people neither overlap nor stick out', (count) => {
    const laid = arrange(0, count, box);
    expect(laid.rects).toHaveLength(count);
    expectTidy(laid, box);
  });

  it.each([1, 2, 6, 30])('a screen is bigger than each of %i people', (count) => {
    const laid = arrange(1, count, box);
    expectTidy(laid, box);
    const [screen, ...people] = laid.rects.map((r) => r.width * r.height);
    for (const person of people) expect(screen).toBeGreaterThan(person);
  });

  it('nine people need no scrolling', () => {
    expect(arrange(0, 9, box).height).toBe(box.height);
  });
});

it('two people sit side by side on a desk and above each other on a phone', () => {
  const [a, b] = arrange(0, 2, DESK).rects;
  expect(a?.y).toBe(b?.y);
  const [c, d] = arrange(0, 2, PHONE).rects;
  expect(c?.x).toBe(d?.x);
});

it('a crowd scrolls instead of shrinking away', () => {
  const laid = arrange(0, 200, PHONE);
  expect(laid.height).toBeGreaterThan(PHONE.height);
  expect(Math.min(...laid.rects.map((r) => r.width))).toBeGreaterThan(100);
});

it('has nothing to say about an empty box', () => {
  expect(arrange(0, 3, { width: 0, height: 0 }).rects).toEqual([]);
});
