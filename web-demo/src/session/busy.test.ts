import { ConnectionError } from 'livekit-client';
import { expect, it } from 'vitest';
import { busy, isBusy } from './busy';

it('waits as long as the server says, and says so', () => {
  const said = busy('12', 'too many are joining: try again in 12 s');
  expect(said?.waitMs).toBe(12_000);
  expect(said?.problem.title).toBe('Many people are joining right now');
  expect(said?.problem.text).toContain('12 seconds');
});

it('tells a full server from a busy one', () => {
  expect(busy('10', 'the server is full')?.problem.title).toBe('The server is full');
});

it('does not wait for ever, nor by a word that makes no sense', () => {
  expect(busy('86400', '')?.waitMs).toBe(60_000);
  expect(busy(null, '')).toBeUndefined();
  expect(busy('soon', '')).toBeUndefined();
  expect(busy('-1', '')).toBeUndefined();
});

it('knows the SDK’s word for it', () => {
  expect(isBusy(ConnectionError.internal('x', { status: 503, statusText: '' }))).toBe(true);
  expect(isBusy(ConnectionError.internal('x', { status: 500, statusText: '' }))).toBe(false);
  expect(isBusy(ConnectionError.notAllowed('x', 403))).toBe(false);
  expect(isBusy(new Error('503'))).toBe(false);
});
