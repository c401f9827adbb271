// Who looks on from behind a line that we make.
import { Frames } from './frames.js';
import { Line, leadOver } from './line.js';
import { network } from './network.js';

/** @typedef {import('./call.js').Call} Call */
/** @typedef {import('./participant.js').Participant} Participant */

/** A camera of the usual kind. */
export const CAMERA = /** @type {const} */ ({ kind: 'device', width: 1280, height: 720, fps: 30 });
/** Only its largest picture has more lines: a browser whose machine is busy makes all three smaller, of 540, 270 and 135. */
export const MIDDLE = 360;
/** Sends nothing, and is large enough for the page to ask for the best layer of one who is alone with them. */
export const LOOKS_ON = { switches: { video: '0', audio: '0' }, viewport: { width: 1600, height: 1000 } };
/** The server has one worker, so that media has one port. */
export const ONE_PORT = { server: ['--workers', '1'], timeout: 180_000 };

/**
 * Ben is on his way over a line with this weather; `enter` lets him come in and watch somebody.
 * @param {Call} call
 * @param {import('./line.js').Weather} weather
 */
export async function arriveOverLine(call, weather) {
  const server = { address: network().serverAddress, port: call.server.udpBasePort };
  const line = await new Line(server).open();
  line.weather = weather;
  const ben = await call.arrive('ben', LOOKS_ON);
  await ben.page.evaluateOnNewDocument(leadOver, server, line.port);
  const enter = async (/** @type {Participant} */ publisher) => {
    await ben.open(`/r/${call.room}`, { name: 'ben', autojoin: '1', ...LOOKS_ON.switches });
    await ben.joined();
    return new Frames(ben, publisher).watch();
  };
  return { ben, line, enter };
}
