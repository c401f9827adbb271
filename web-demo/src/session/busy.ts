// A server that lets people in one after the other answers 503 and says when to come back. The SDK tells the status but not
// the time, so the page asks for that itself.
import { ConnectionError } from 'livekit-client';
import type { Problem } from '../words';

/** Longest pause that a server's word is followed for, milliseconds. */
const LONGEST_MS = 60_000;
const TIMEOUT_MS = 5_000;

/** What the server said: its words, and how long to wait. */
export interface Busy {
  problem: Problem;
  waitMs: number;
}

/** Whether an attempt to join failed because the server sends newcomers away for now. */
export function isBusy(error: unknown): boolean {
  return (
    error instanceof ConnectionError &&
    (error.status === 503 || (error.context as { status?: number } | undefined)?.status === 503)
  );
}

/** Asks how long to wait; `undefined` when the server would let this pass in by now. */
export async function askWhen(server: string, token: string, signal: AbortSignal): Promise<Busy | undefined> {
  const url = `${server.replace(/^ws/, 'http')}/rtc/validate?access_token=${encodeURIComponent(token)}`;
  try {
    const response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]) });
    if (response.status !== 503) return undefined;
    return busy(response.headers.get('Retry-After'), await response.text());
  } catch {
    return undefined;
  }
}

/** From the header and the words of a refusal. */
export function busy(retryAfter: string | null, words: string): Busy | undefined {
  const seconds = Number(retryAfter);
  if (!Number.isFinite(seconds) || seconds <= 0) return undefined;
  const waitMs = Math.min(LONGEST_MS, Math.round(seconds * 1000));
  const full = /full|rooms/.test(words);
  return {
    waitMs,
    problem: {
      kind: 'other',
      title: full ? 'The server is full' : 'Many people are joining right now',
      text: `You will be let in as soon as there is room; next try in ${Math.ceil(waitMs / 1000)} seconds. Keep this page open.`,
      remedy: 'retry',
    },
  };
}
