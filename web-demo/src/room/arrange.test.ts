import { describe, expect, it } from 'vitest';
import { arrange, PAGER_HEIGHT, type Arrangement, type Box, type Rect } from './arrange';

const DESK: Box = { width: 1240, height: 640 };
const LAPTOP_WITH_CHAT: Box = { width: 880, height: 590 };
const PHONE: Box = { width: 370, height: 640 };
const PHONE_SIDEWAYS: Box = { width: 820, height: 310 };
const BOXES = [
  ['desk', DESK],
  ['laptop with chat', LAPTOP_WITH_CHAT],
  ['phone', PHONE],
  ['phone held sideways', PHONE_SIDEWAYS],
] as const;

const overlap = (a: Rect, b: Rect) =>
  a.x < b.x + b.width - 0.01 &&
  b.x < a.x + a.width - 0.01 &&
  a.y < b.y + b.height - 0.01 &&
  b.y < a.y + a.height - 0.01;

function expectTidy({ stage, seats, paged }: Arrangement, box: Box) {
  const rects = [...stage, ...seats];
  for (const [i, rect] of rects.entries()) {
    expect(rect.x).toBeGreaterThanOrEqual(-0.01);
    expect(rect.y).toBeGreaterThanOrEqual(-0.01);
    expect(rect.x + rect.width).toBeLessThanOrEqual(box.width + 0.01);
    expect(rect.y + rect.height).toBeLessThanOrEqual(box.height - (paged ? PAGER_HEIGHT : 0) + 0.01);
    for (const other of rects.slice(i + 1)) expect(overlap(rect, other)).toBe(false);
  }
}

describe.each(BOXES)('on a %s', (_, box) => {
  it.each([1, 2, 3, 4, 5, 7, 9, 16, 25, 26, 49, 300])('%i people neither overlap nor stick out', (count) => {
    const laid = arrange(0, count, box);
    expectTidy(laid, box);
    expect(laid.seats.length).toBeGreaterThan(0);
    expect(laid.paged).toBe(laid.seats.length < count);
  });

  it.each([1, 2, 6, 30, 300])('a stage is bigger than each of %i people beside it', (count) => {
    const laid = arrange(1, count, box);
    expectTidy(laid, box);
    const area = (rect: Rect | undefined) => (rect?.width ?? 0) * (rect?.height ?? 0);
    for (const person of laid.seats) expect(area(laid.stage[0])).toBeGreaterThan(area(person));
  });

  it('a crowd turns pages instead of shrinking away', () => {
    for (const { width, height } of arrange(0, 300, box).seats) {
      expect(width).toBeGreaterThanOrEqual(150);
      expect(height).toBeGreaterThanOrEqual(90);
    }
  });
});

it('a page holds 25 on a desk and 8 on a phone', () => {
  expect(arrange(0, 300, DESK).seats).toHaveLength(25);
  expect(arrange(0, 300, PHONE).seats).toHaveLength(8);
});

it('nine people are on one page of a desk', () => {
  expect(arrange(0, 9, DESK).paged).toBe(false);
});

it('two people sit side by side on a desk and above each other on a phone', () => {
  const [a, b] = arrange(0, 2, DESK).seats;
  expect(a?.y).toBe(b?.y);
  const [c, d] = arrange(0, 2, PHONE).seats;
  expect(c?.x).toBe(d?.x);
});

it('has nothing to say about an empty box', () => {
  expect(arrange(0, 3, { width: 0, height: 0 }).seats).toEqual([]);
});
