// How long to wait before the next attempt: doubling, capped, with jitter, so that a room full of people
// doesn't come back to a restarted server in the same instant.

const FIRST_MS = 500;
const LONGEST_MS = 8_000;

/**
 * @param attempt failed attempts so far, from 1
 * @param random in [0, 1)
 */
export function backoff(attempt: number, random: number = Math.random()): number {
  const base = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt - 1, 10));
  return Math.round(base * (0.5 + random));
}
