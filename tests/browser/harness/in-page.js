// What runs inside the page, before the page's own scripts: it watches the call with the page's own clock and
// looks at pictures and statistics for the stories. It is sent to the browser as source, so it refers to nothing
// outside itself.

/**
 * @typedef {{ kind: 'device', width: number, height: number, fps: number }} DeviceCamera  the browser's fake device, capped
 * @typedef {{ kind: 'painted', colour: [number, number, number], name: string, portrait?: { skin: string, hair: string } }} PaintedCamera
 * @typedef {DeviceCamera | PaintedCamera} Camera
 * @typedef {{ at: number, event: string, who?: string, source?: string }} Moment  `at` in ms of the page's clock
 * @typedef {{ from: string, topic: string, bytes: number, sum: number, reliable: boolean }} Received
 */

/** @param {Camera} camera */
export function installProbe(camera) {
  /** @type {Moment[]} */
  const timeline = [];
  /** @type {Received[]} */
  const received = [];
  /** @type {RTCPeerConnection[]} */
  const connections = [];
  const note = (/** @type {string} */ event, /** @type {string | undefined} */ who, /** @type {string | undefined} */ source) =>
    timeline.push({ at: performance.now(), event, who, source });

  const Connection = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Connection {
    /** @param {RTCConfiguration=} configuration */
    constructor(configuration) {
      super(configuration);
      connections.push(this);
    }
  };

  // The page shows its room by setting `__ramai`; from then on we listen along.
  /** @type {any} */
  let shown;
  Object.defineProperty(window, '__ramai', {
    configurable: true,
    get: () => shown,
    set: (value) => {
      shown = value;
      watch(value.room);
    },
  });

  /** @param {any} room */
  function watch(room) {
    for (const event of ['signalConnected', 'connected', 'reconnecting', 'signalReconnecting', 'reconnected', 'disconnected']) {
      room.on(event, () => note(event, undefined, undefined));
    }
    room.on('trackSubscribed', (/** @type {any} */ track, /** @type {any} */ publication, /** @type {any} */ who) => {
      note('subscribed', who.identity, publication.source);
      if (track.kind === 'video') void firstFrame(track, who.identity, publication.source);
    });
    room.on('dataReceived', (/** @type {Uint8Array} */ data, /** @type {any} */ who, /** @type {any} */ kind, /** @type {string} */ topic) => {
      received.push({
        from: who?.identity ?? '',
        topic: topic ?? '',
        bytes: data.length,
        sum: data.reduce((a, b) => (a + b) % 65521, 0),
        reliable: kind === 0,
      });
    });
  }

  /** @param {any} track  @param {string} who  @param {string} source */
  async function firstFrame(track, who, source) {
    const end = performance.now() + 30_000;
    while (performance.now() < end) {
      const report = await track.getRTCStatsReport();
      if (inboundOf(report)?.framesDecoded > 0) return note('first-frame', who, source);
      await new Promise((done) => setTimeout(done, 20));
    }
  }

  /** @param {RTCStatsReport=} report  @returns {any} */
  function inboundOf(report) {
    for (const stats of report?.values() ?? []) if (stats.type === 'inbound-rtp') return stats;
    return undefined;
  }

  /** @param {string} identity */
  const participantOf = (identity) => {
    const room = shown?.room;
    return room?.localParticipant?.identity === identity ? room.localParticipant : room?.remoteParticipants?.get(identity);
  };

  /** @param {string} identity  @param {string} source */
  const tileOf = (identity, source) =>
    document.querySelector(`[data-testid=tile][data-identity="${CSS.escape(identity)}"][data-source="${source}"]`);

  const canvas = document.createElement('canvas');
  canvas.width = 32;
  canvas.height = 18;

  window.__story = {
    timeline,
    received,
    connections,
    tileOf,
    participantOf,

    /** The receiver's statistics of what someone sends us. */
    async inbound(identity, source) {
      const track = participantOf(identity)?.getTrackPublication(source)?.track;
      const report = await track?.getRTCStatsReport?.();
      const stats = inboundOf(report);
      if (!stats) return undefined;
      const codec = report.get(stats.codecId)?.mimeType;
      const { framesDecoded, frameWidth, frameHeight, totalAudioEnergy, totalSamplesReceived, packetsReceived } = stats;
      return { codec, framesDecoded, frameWidth, frameHeight, totalAudioEnergy, totalSamplesReceived, packetsReceived };
    },

    /** How many layers of our own are encoded. */
    encoding(source) {
      const sender = window.__ramai?.room.localParticipant.getTrackPublication(source)?.track?.sender;
      return sender?.getParameters().encodings.filter((/** @type {RTCRtpEncodingParameters} */ { active }) => active).length ?? 0;
    },

    /** What a tile shows at this moment: a fingerprint of its pixels, and the colour of its upper left corner. */
    pixels(identity, source) {
      const video = tileOf(identity, source)?.querySelector('video');
      if (!video || !video.videoWidth) return undefined;
      const context = canvas.getContext('2d', { willReadFrequently: true });
      if (!context) return undefined;
      context.drawImage(video, 0, 0, canvas.width, canvas.height);
      const corner = context.getImageData(0, 0, 4, 4).data;
      const all = context.getImageData(0, 0, canvas.width, canvas.height).data;
      const mean = [0, 1, 2].map((channel) => {
        let sum = 0;
        for (let i = channel; i < corner.length; i += 4) sum += corner[i] ?? 0;
        return Math.round(sum / (corner.length / 4));
      });
      let fingerprint = 0;
      for (const value of all) fingerprint = (fingerprint * 31 + value) | 0;
      return { width: video.videoWidth, height: video.videoHeight, corner: mean, fingerprint };
    },

    tiles: () =>
      Array.from(document.querySelectorAll('[data-testid=tile]'), (tile) => ({ .../** @type {HTMLElement} */ (tile).dataset })),

    notices: () =>
      Array.from(document.querySelectorAll('[data-testid=notice]'), (notice) => ({
        kind: /** @type {HTMLElement} */ (notice).dataset.kind ?? '',
        words: notice.textContent ?? '',
      })),
  };

  const devices = navigator.mediaDevices;
  if (!devices) return;
  const open = devices.getUserMedia.bind(devices);
  devices.getUserMedia = async (wanted = {}) => {
    if (!wanted.video) return open(wanted);
    if (camera.kind === 'device') {
      const { width, height, fps } = camera;
      const video = typeof wanted.video === 'object' ? wanted.video : {};
      return open({ ...wanted, video: { ...video, width, height, frameRate: fps, aspectRatio: undefined } });
    }
    const sound = wanted.audio ? (await open({ audio: wanted.audio })).getTracks() : [];
    return new MediaStream([...sound, ...paint(camera).getVideoTracks()]);
  };

  /** A moving picture that tells whose it is. @param {PaintedCamera} who */
  function paint({ colour, name, portrait }) {
    const board = document.createElement('canvas');
    board.width = portrait ? 960 : 480;
    board.height = portrait ? 540 : 270;
    const { width: w, height: h } = board;
    const pen = board.getContext('2d');
    if (!pen) throw new Error('no canvas');
    const shade = (/** @type {number} */ by) => `rgb(${colour.map((c) => Math.min(255, Math.round(c * by))).join(' ')})`;
    const started = performance.now();
    const draw = () => {
      const t = (performance.now() - started) / 1000;
      pen.fillStyle = shade(1);
      pen.fillRect(0, 0, w, h);
      if (portrait) {
        const light = pen.createRadialGradient(w * 0.7, h * 0.2, 0, w * 0.7, h * 0.2, w * 0.7);
        light.addColorStop(0, shade(1.2));
        light.addColorStop(1, shade(0.8));
        pen.fillStyle = light;
        pen.fillRect(0, 0, w, h);
      }
      // Somebody who sways a little.
      const x = w / 2 + Math.sin(t * 1.3 + name.length) * w * 0.03;
      const y = h * 0.44 + Math.sin(t * 2.1) * h * 0.01;
      const r = h * 0.17;
      pen.fillStyle = shade(0.45);
      pen.beginPath();
      pen.ellipse(x, h * 1.02, r * 2.1, r * 1.9, 0, 0, 7);
      pen.fill();
      pen.fillStyle = portrait?.skin ?? '#ffffff';
      pen.beginPath();
      pen.ellipse(x, y, r * 0.85, r, 0, 0, 7);
      pen.fill();
      if (portrait) {
        pen.fillStyle = portrait.hair;
        pen.beginPath();
        pen.ellipse(x, y - r * 0.45, r * 0.95, r * 0.75, 0, Math.PI, 0);
        pen.fill();
        pen.fillStyle = '#2b1d18';
        const blink = t % 4 < 0.15 ? 0.1 : 1;
        for (const side of [-1, 1]) {
          pen.beginPath();
          pen.ellipse(x + side * r * 0.3, y + r * 0.02, r * 0.07, r * 0.09 * blink, 0, 0, 7);
          pen.fill();
        }
        pen.strokeStyle = '#7c3a30';
        pen.lineWidth = r * 0.08;
        pen.lineCap = 'round';
        pen.beginPath();
        pen.arc(x, y + r * 0.25, r * 0.32, Math.PI * 0.15, Math.PI * 0.85);
        pen.stroke();
      } else {
        // A hand of a clock: no two frames are alike.
        pen.fillStyle = '#000000';
        pen.fillRect(x + Math.cos(t * 3) * r * 0.6 - 8, y + Math.sin(t * 3) * r * 0.6 - 8, 16, 16);
      }
    };
    draw();
    const fps = portrait ? 15 : 10;
    const stream = board.captureStream(fps);
    const timer = setInterval(draw, 1000 / fps);
    const [track] = stream.getVideoTracks();
    const stop = track?.stop.bind(track);
    if (track && stop) {
      track.stop = () => {
        clearInterval(timer);
        stop();
      };
    }
    return stream;
  }
}
