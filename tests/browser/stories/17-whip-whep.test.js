// Encoders and players that know nothing but HTTP: one publishes by WHIP, one watches by WHEP, beside people in the call.
import assert from 'node:assert/strict';
import { story } from '../harness/story.js';

/** @typedef {import('../harness/call.js').Call} Call */
/** @typedef {import('../harness/participant.js').Participant} Participant */

/** Far from what starting takes on a busy machine. */
const PATIENCE_MS = 20_000;

/** A token by which someone joins the call's room under a given identity. @param {Call} call  @param {string} identity */
async function tokenFor(call, identity) {
  const body = JSON.stringify({ room: call.room, name: identity, identity });
  const answer = await fetch(`${call.server.origin}/demo/token`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });
  return String((await answer.json()).token);
}

/**
 * Runs inside a page, so it refers to nothing outside itself: one offer, one answer.
 * @param {string} endpoint
 * @param {string} token
 * @param {'publish' | number} what  or the number of audio and of video sections to receive in
 */
async function connect(endpoint, token, what) {
  const connection = new RTCPeerConnection();
  if (what === 'publish') {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
    for (const track of stream.getTracks()) {
      const layers = [{ rid: 'l', scaleResolutionDownBy: 2 }, { rid: 'h' }];
      connection.addTransceiver(track, {
        direction: 'sendonly',
        streams: [stream],
        ...(track.kind === 'video' ? { sendEncodings: layers } : {}),
      });
    }
  } else {
    for (const kind of ['audio', 'video']) {
      for (let n = 0; n < what; n += 1) connection.addTransceiver(kind, { direction: 'recvonly' });
    }
    connection.addEventListener('track', ({ track, streams }) => {
      const element = document.createElement(track.kind === 'video' ? 'video' : 'audio');
      element.autoplay = true;
      element.srcObject = new MediaStream([track]);
      element.dataset.stream = streams[0]?.id ?? '';
      document.body.append(element);
    });
  }
  await connection.setLocalDescription();
  const answer = await fetch(endpoint, {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/sdp' },
    body: connection.localDescription?.sdp ?? '',
  });
  const sdp = await answer.text();
  if (answer.status !== 201) throw new Error(`${answer.status} ${sdp}`);
  await connection.setRemoteDescription({ type: 'answer', sdp });
  return { location: answer.headers.get('Location'), etag: answer.headers.get('ETag') };
}

/** Waits until sound and picture come in on so many tracks of each, and keep coming. @param {Participant} tv  @param {number} each */
async function expectToPlay(tv, each) {
  const look = async () => {
    const report = (await window.__story.connections.at(-1)?.getStats()) ?? new Map();
    const inbound = [...report.values()].filter((stats) => stats.type === 'inbound-rtp');
    const of = (/** @type {string} */ kind, /** @type {string} */ what) =>
      inbound.filter((stats) => stats.kind === kind).map((stats) => Number(stats[what] ?? 0));
    return { frames: of('video', 'framesDecoded'), energy: of('audio', 'totalAudioEnergy') };
  };
  await tv.until(
    `${tv.name} plays ${each} pictures and sounds`,
    PATIENCE_MS,
    async (count) => {
      const report = (await window.__story.connections.at(-1)?.getStats()) ?? new Map();
      const inbound = [...report.values()].filter((stats) => stats.type === 'inbound-rtp');
      const playing = inbound.filter((stats) => (stats.framesDecoded ?? 0) > 10 || (stats.totalAudioEnergy ?? 0) > 1e-5);
      if (playing.length === 2 * count) return true;
      throw new Error(JSON.stringify(inbound.map((s) => [s.kind, s.packetsReceived, s.framesDecoded, s.totalAudioEnergy])));
    },
    each,
  );
  const before = await tv.evaluate(look);
  await new Promise((done) => setTimeout(done, 1_000));
  const after = await tv.evaluate(look);
  assert.ok(
    after.frames.every((frames, n) => frames > (before.frames[n] ?? 0)),
    `${JSON.stringify(before.frames)} then ${JSON.stringify(after.frames)}`,
  );
}

/** Ends a session from the page, as its owner. @param {Participant} of  @param {string} url  @param {string} token */
const end = (of, url, token) =>
  of.evaluate(
    async (where, bearer) => (await fetch(where, { method: 'DELETE', headers: { Authorization: `Bearer ${bearer}` } })).status,
    url,
    token,
  );

story('an encoder publishes by WHIP and a player watches by WHEP', async (call) => {
  const { origin } = call.server;
  const ana = await call.join('ana');
  // A plain page of the server's origin, which a browser gives camera and microphone.
  const cam = await call.arrive('cam');
  await cam.open('/health');
  const camToken = await tokenFor(call, 'cam');
  const camSession = await cam.evaluate(connect, `${origin}/whip`, camToken, /** @type {const} */ ('publish'));
  cam.identity = 'cam';
  assert.match(camSession.location ?? '', /^\/whip\/\w{32}$/);
  assert.match(camSession.etag ?? '', /^"\w+"$/);

  await ana.expectToSeeAndHear(cam);
  await ana.expectInRoom([cam]);

  // The player's page is of another origin than the endpoint, as on somebody's own site.
  const elsewhere = origin.replace('localhost', '127.0.0.1');
  const tv = await call.arrive('tv');
  await tv.open('/health');
  const tvToken = await tokenFor(call, 'tv');
  const watch = `${elsewhere}/whep?participants=cam,${encodeURIComponent(ana.identity)}`;
  const tvSession = await tv.evaluate(connect, watch, tvToken, 2);
  assert.match(tvSession.location ?? '', /^\/whep\/\w{32}$/, 'readable from another origin');
  await expectToPlay(tv, 2);
  // In the order asked for, and the encoder's upper layer.
  const sid = await ana.evaluate(() => window.__story.participantOf('cam').sid);
  const streams = await tv.evaluate(() => Array.from(document.querySelectorAll('video'), (video) => video.dataset.stream));
  assert.deepEqual(streams.map((stream) => stream?.split('|')[0] === sid), [true, false]);
  const widths = await cam.evaluate(async () => {
    const report = (await window.__story.connections.at(-1)?.getStats()) ?? new Map();
    const sent = [...report.values()].filter((stats) => stats.type === 'outbound-rtp' && stats.kind === 'video');
    const width = (/** @type {string} */ rid) => Number(sent.find((stats) => stats.rid === rid)?.frameWidth);
    return { lower: width('l'), upper: width('h') };
  });
  assert.ok(widths.upper > widths.lower, JSON.stringify(widths));
  await tv.until(
    'tv gets the upper layer',
    PATIENCE_MS,
    (width) => document.querySelector('video')?.videoWidth === width,
    widths.upper,
  );
  await ana.expectInRoom([cam]);

  assert.equal(await end(tv, `${elsewhere}${tvSession.location}`, camToken), 403, "not with somebody else's token");
  assert.equal(await end(tv, `${elsewhere}${tvSession.location}`, tvToken), 200);
  assert.equal(await end(tv, `${elsewhere}${tvSession.location}`, tvToken), 404);
  assert.equal(await end(cam, `${origin}${camSession.location}`, camToken), 200);
  await ana.expectGone('cam');
  await ana.expectInRoom([]);
});

story('an encoder whose page goes away is gone', async (call) => {
  const ana = await call.join('ana');
  const cam = await call.arrive('cam');
  await cam.open('/health');
  await cam.evaluate(connect, `${call.server.origin}/whip`, await tokenFor(call, 'cam'), /** @type {const} */ ('publish'));
  cam.identity = 'cam';
  await ana.expectPicture(cam);
  await cam.close();
  await ana.expectGone('cam', { within: 40_000 });
});
