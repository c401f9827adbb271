// What somebody's own camera is encoded as, and when its lowest layer was: an encoder leaves frames out for half a second after a key frame that
// was too large for its rate, and then a viewer's picture stands still whatever the server does.

/** Looks so often, in ms. */
const EVERY = 50;

/** @param {import('./participant.js').Participant} publisher */
export async function watchEncoder(publisher) {
  await publisher.evaluate((every) => {
    /** @type {{ at: number, frames: number }[]} */
    const encoded = [];
    const look = async () => {
      const sender = window.__ramai?.room.localParticipant.getTrackPublication('camera')?.track?.sender;
      /** @type {RTCStatsReport | undefined} */
      const report = await sender?.getStats();
      for (const stats of report?.values() ?? []) {
        if (stats.type !== 'outbound-rtp' || stats.rid !== 'q') continue;
        const frames = stats.framesEncoded ?? 0;
        if (frames !== encoded.at(-1)?.frames) encoded.push({ at: performance.timeOrigin + performance.now(), frames });
      }
    };
    setInterval(() => void look(), every);
    Object.assign(window, { __encoded: encoded });
  }, EVERY);
  return {
    /** When there were new frames, within {@link EVERY}. @returns {Promise<{ at: number }[]>} */
    all: () => publisher.evaluate(() => /** @type {any} */ (window).__encoded),
  };
}

/** Waits until so many layers of it are encoded. @param {import('./participant.js').Participant} publisher  @param {string} words  @param {number} layers */
export function encodes(publisher, words, layers) {
  return publisher.until(
    words,
    40_000,
    (wanted) => {
      const active = window.__story.encoding('camera');
      if (active !== wanted) throw new Error(`${active} layers`);
      return active;
    },
    layers,
  );
}
