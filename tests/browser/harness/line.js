// A poor line between one browser and the server's media port: a relay for UDP whose way down has a rate with a queue that drops its
// tail, and whose both ways have a delay and lose packets. All of it may change while packets are under way.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';

/**
 * @typedef {object} Weather
 * @property {number} rate  of the way down, bits per second; Infinity for no limit
 * @property {number} delay  of each way, ms
 * @property {number} loss  share of packets lost on the way down
 */

/** What waits for the narrow place at most, as in a home router of a second's memory at 500 kbit/s. */
const QUEUE_BYTES = 64 * 1024;
/** Header bytes of IPv4 and UDP, which a line carries as well. */
const HEADERS = 28;

/** Milliseconds of the wall clock, finely: pages on this machine have the same. */
export const clock = () => performance.timeOrigin + performance.now();

export class Line {
  /** @type {Weather} */
  weather = { rate: Infinity, delay: 0, loss: 0 };
  /** What came from the server: when (`clock`), how many bytes, and how long it had to queue. @type {{ at: number, bytes: number, queued: number, dropped: boolean }[]} */
  down = [];
  /** @type {Map<string, import('node:dgram').Socket>} */
  #ways = new Map();
  #here = createSocket('udp4');
  #server;
  /** When the narrow place has worked off what waits for it. */
  #free = 0;
  #ended = false;
  /** Loss is the same in every run. */
  #dice = 0x2545f491;

  /** @param {{ address: string, port: number }} server */
  constructor(server) {
    this.#server = server;
  }

  async open() {
    this.#here.on('message', (packet, { address, port }) => {
      const way = this.#way(address, port);
      this.#later(this.weather.delay, () => way.send(packet, this.#server.port, this.#server.address));
    });
    this.#here.bind(0, '127.0.0.1');
    await once(this.#here, 'listening');
    return this;
  }

  /** The port that the browser is to send to, at 127.0.0.1. */
  get port() {
    return this.#here.address().port;
  }

  /** Each address of the browser has one of ours, so that the server's answers find the way back. @param {string} address  @param {number} port */
  #way(address, port) {
    const key = `${address}:${port}`;
    const known = this.#ways.get(key);
    if (known) return known;
    const socket = createSocket('udp4');
    this.#ways.set(key, socket);
    socket.on('message', (packet) => this.#carryDown(packet, address, port));
    socket.on('error', () => undefined);
    return socket;
  }

  /** @param {Buffer} packet  @param {string} address  @param {number} port */
  #carryDown(packet, address, port) {
    const { rate, delay, loss } = this.weather;
    const at = clock();
    const takes = ((packet.length + HEADERS) * 8 * 1_000) / rate;
    const waits = Math.max(0, this.#free - at);
    const dropped = this.#random() < loss || (waits * rate) / 8_000 > QUEUE_BYTES;
    this.down.push({ at, bytes: packet.length + HEADERS, queued: waits, dropped });
    if (dropped) return;
    this.#free = at + waits + takes;
    this.#later(waits + takes + delay, () => this.#here.send(packet, port, address));
  }

  /** What the way down was like from one moment to another: bits per second that came to it, and the longest queue in ms. @param {number} from  @param {number} to */
  seen(from, to) {
    const packets = this.down.filter(({ at }) => at >= from && at < to);
    const bytes = packets.reduce((sum, packet) => sum + packet.bytes, 0);
    return {
      rate: (bytes * 8 * 1_000) / (to - from),
      queue: packets.reduce((most, packet) => Math.max(most, packet.queued), 0),
      dropped: packets.filter((packet) => packet.dropped).length,
      packets: packets.length,
    };
  }

  /** @param {number} ms  @param {() => void} carry */
  #later(ms, carry) {
    const go = () => {
      if (!this.#ended) carry();
    };
    if (ms < 1) go();
    else setTimeout(go, ms);
  }

  /** Between 0 and 1 (xorshift). */
  #random() {
    this.#dice ^= this.#dice << 13;
    this.#dice ^= this.#dice >>> 17;
    this.#dice ^= this.#dice << 5;
    return (this.#dice >>> 0) / 2 ** 32;
  }

  end() {
    this.#ended = true;
    this.#here.close();
    for (const socket of this.#ways.values()) socket.close();
  }
}

/**
 * Leads a page's media over a line: wherever it is told of the server's port it hears of the line's. Runs inside the page, before its
 * scripts, and refers to nothing outside itself.
 * @param {{ address: string, port: number }} server
 * @param {number} port
 */
export function leadOver(server, port) {
  const rewrite = (/** @type {string} */ words) => words.replaceAll(`${server.address} ${server.port} `, `127.0.0.1 ${port} `);
  const { prototype } = window.RTCPeerConnection;
  const { setRemoteDescription } = prototype;
  /** @type {any} */
  const addIceCandidate = prototype.addIceCandidate;
  prototype.setRemoteDescription = function (/** @type {RTCSessionDescriptionInit} */ description) {
    return /** @type {any} */ (setRemoteDescription).call(this, { type: description.type, sdp: rewrite(description.sdp ?? '') });
  };
  /** @param {RTCIceCandidateInit | null | undefined} candidate */
  prototype.addIceCandidate = function (candidate) {
    return addIceCandidate.apply(this, [candidate?.candidate ? { ...candidate, candidate: rewrite(candidate.candidate) } : candidate]);
  };
}
