// Bounded waiting for things that have no event of their own to await.

const PAUSE_MS = 50;

/**
 * Asks again and again until the answer is truthy. An answer that throws counts as no.
 * @template T
 * @param {string} what  in words, for the error
 * @param {number} within  milliseconds
 * @param {() => Promise<T>} ask
 * @returns {Promise<T>}
 */
export async function poll(what, within, ask) {
  const end = performance.now() + within;
  /** @type {unknown} */
  let last;
  while (performance.now() < end) {
    try {
      const answer = await bounded(ask(), Math.max(1, end - performance.now()), 'no answer');
      if (answer) return answer;
      last = answer;
    } catch (error) {
      last = error instanceof Error ? error.message : error;
    }
    await new Promise((done) => setTimeout(done, PAUSE_MS));
  }
  throw new Error(`waited ${within / 1000} s in vain: ${what} (last: ${show(last)})`);
}

/**
 * @template T
 * @param {Promise<T>} work
 * @param {number} within  milliseconds
 * @param {string} words  of the error when it takes longer
 * @returns {Promise<T>}
 */
export async function bounded(work, within, words) {
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const late = new Promise((_, fail) => {
    timer = setTimeout(() => fail(new Error(`${words} within ${Math.round(within)} ms`)), within);
  });
  try {
    return await /** @type {Promise<T>} */ (Promise.race([work, late]));
  } finally {
    clearTimeout(timer);
  }
}

/** @param {unknown} value */
const show = (value) => (typeof value === 'string' ? value : JSON.stringify(value))?.slice(0, 600);
