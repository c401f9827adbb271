// Order in the room, by LiveKit's JavaScript server SDK and by hosts themselves, among people who came by its native client SDK.
import { DisconnectReason, RoomEvent, dispose } from '@livekit/rtc-node';
import { AccessToken, RoomServiceClient } from 'livekit-server-sdk';
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { Person, token } from './person.js';
import { KEY, SECRET, Server } from './server.js';

let server;
let rooms;
let people = [];

before(async () => {
  server = await Server.start();
  rooms = new RoomServiceClient(server.origin, KEY, SECRET);
});
afterEach(async () => {
  await Promise.all(people.map((person) => person.leave()));
  people = [];
});
after(async () => {
  server.stop();
  await dispose();
});

async function join(room, identity, grants) {
  const person = await Person.join(server, room, identity, grants);
  people.push(person);
  return person;
}

const everything = { canPublish: true, canSubscribe: true, canPublishData: true };

test('a host mutes, silences and sends away, by its own join token', async () => {
  const ana = await join('talk', 'ana', { roomAdmin: true });
  const orders = new RoomServiceClient(server.origin, undefined, undefined, { token: ana.token });
  const ben = await join('talk', 'ben');
  assert.deepEqual(ana.room.localParticipant.attributes, { 'ramai.role': 'host' });
  const sid = await ben.speak();
  await ana.hears(RoomEvent.TrackSubscribed, (_track, publication) => publication.sid === sid);

  const muted = await orders.mutePublishedTrack('talk', 'ben', sid, true);
  assert.equal(muted.muted, true);
  await ben.hears(RoomEvent.TrackMuted, (publication) => publication.sid === sid);
  await ana.hears(RoomEvent.TrackMuted, (publication) => publication.sid === sid);
  await assert.rejects(orders.mutePublishedTrack('talk', 'ben', sid, false), { code: 'failed_precondition', status: 412 });

  await orders.updateParticipant('talk', 'ben', { permission: { ...everything, canPublish: false } });
  await ana.hears(RoomEvent.TrackUnpublished, (publication) => publication.sid === sid);
  await ana.until('the listener', () => ana.other('ben').attributes['ramai.role'] === 'listener');
  // The SDK waits for an answer that never comes, for as long as it is in.
  const refused = assert.rejects(ben.speak());
  assert.deepEqual((await orders.getParticipant('talk', 'ben')).tracks, []);

  await orders.removeParticipant('talk', 'ben');
  assert.deepEqual(await ben.hears(RoomEvent.Disconnected), [DisconnectReason.PARTICIPANT_REMOVED]);
  await refused;
  await ana.until('the departure', () => !ana.other('ben'));
  const again = await fetch(`${server.origin}/rtc/validate?access_token=${ben.token}`);
  assert.deepEqual([again.status, await again.text()], [403, 'you were removed from this room']);
  assert.ok(server.log.some((line) => line.includes("host ana muted ben's microphone")), server.log.join('\n'));
});

test('a room is made, listed, described and ended', async () => {
  const made = await rooms.createRoom({ name: 'hall', emptyTimeout: 600, maxParticipants: 20, metadata: 'one' });
  assert.deepEqual([made.name, made.emptyTimeout, made.maxParticipants, made.metadata], ['hall', 600, 20, 'one']);
  assert.deepEqual((await rooms.listRooms(['hall', 'none'])).map((room) => room.sid), [made.sid]);
  const ana = await join('hall', 'ana');
  assert.equal(ana.room.metadata, 'one');
  assert.equal((await rooms.updateRoomMetadata('hall', 'two')).metadata, 'two');
  await ana.until('the new metadata', () => ana.room.metadata === 'two');
  assert.deepEqual((await rooms.listParticipants('hall')).map((p) => p.identity), ['ana']);
  await rooms.deleteRoom('hall');
  assert.deepEqual(await ana.hears(RoomEvent.Disconnected), [DisconnectReason.ROOM_DELETED]);
  assert.deepEqual(await rooms.listRooms(['hall']), []);
});

test('the server says something to one', async () => {
  const [ana, ben] = [await join('talk', 'ana'), await join('talk', 'ben')];
  const bytes = (text) => new TextEncoder().encode(text);
  await rooms.sendData('talk', bytes('for ben'), 0, { destinationIdentities: ['ben'], topic: 'news' });
  await rooms.sendData('talk', bytes('for all'), 0, { topic: 'news' });
  const told = async (person) => {
    await person.hears(RoomEvent.DataReceived, (payload) => Buffer.from(payload).toString() === 'for all');
    const data = person.told.filter(([event]) => event === RoomEvent.DataReceived);
    return data.map(([, payload, from, , topic]) => [Buffer.from(payload).toString(), from, topic]);
  };
  assert.deepEqual(await told(ana), [['for all', undefined, 'news']]);
  assert.deepEqual(await told(ben), [['for ben', undefined, 'news'], ['for all', undefined, 'news']]);
});

test('who waits sees nobody until let in, and a locked room takes nobody new', async () => {
  const ana = await join('exam', 'ana', { roomAdmin: true });
  const ben = await join('exam', 'ben');
  const sid = await ben.speak();
  assert.deepEqual(await server.moderate('SetRoom', ana.token, { room: 'exam', waitingRoom: true }), {
    locked: false,
    waitingRoom: true,
  });
  const [payload, from] = await ben.hears(RoomEvent.DataReceived, (_payload, _from, _kind, topic) => topic === 'ramai.room');
  assert.deepEqual([JSON.parse(Buffer.from(payload).toString()), from], [{ locked: false, waitingRoom: true }, undefined]);

  const cem = await join('exam', 'cem');
  assert.equal(cem.room.localParticipant.attributes['ramai.waiting'], '1');
  assert.equal(cem.room.remoteParticipants.size, 0);
  await ana.until('who waits', () => ana.other('cem')?.attributes['ramai.waiting'] === '1');
  assert.equal(ben.other('cem'), undefined);

  const admitted = await server.moderate('Admit', ana.token, { room: 'exam', identity: 'cem' });
  assert.equal(admitted.permission.canPublish, true);
  await cem.hears(RoomEvent.TrackSubscribed, (_track, publication) => publication.sid === sid);
  await ben.until('who was let in', () => ben.other('cem') !== undefined);
  await cem.speak();
  await ben.hears(RoomEvent.TrackSubscribed, (_track, _publication, participant) => participant.identity === 'cem');

  await server.moderate('SetRoom', ana.token, { room: 'exam', locked: true, waitingRoom: false });
  await assert.rejects(Person.join(server, 'exam', 'dee'));
  const refused = await fetch(`${server.origin}/rtc/validate?access_token=${await token('exam', 'dee')}`);
  assert.deepEqual([refused.status, await refused.text()], [403, 'the room is locked']);
  assert.deepEqual(await server.moderate('MuteAll', ana.token, { room: 'exam', except: ['ana'] }), { muted: 2 });
  await cem.hears(RoomEvent.TrackMuted);
});

test('everybody raises a hand, and a host lowers it', async () => {
  const ana = await join('class', 'ana', { roomAdmin: true });
  const ben = await join('class', 'ben');
  const now = String(Date.now());
  // Refused, but the SDK doesn't say so.
  await ben.room.localParticipant.setAttributes({ 'ramai.role': 'host' });
  await ben.room.localParticipant.setAttributes({ 'ramai.hand': now });
  await ana.until('the hand', () => ana.other('ben').attributes['ramai.hand'] === now);
  assert.equal(ana.other('ben').attributes['ramai.role'], 'speaker');
  const orders = new RoomServiceClient(server.origin, undefined, undefined, { token: ana.token });
  await orders.updateParticipant('class', 'ben', { attributes: { 'ramai.hand': '' } });
  await ben.until('the lowered hand', () => !ben.room.localParticipant.attributes['ramai.hand']);
  await assert.rejects(orders.updateParticipant('class', 'ben', { attributes: { 'ramai.role': 'host' } }), {
    code: 'permission_denied',
  });
});

test('who may not give orders is told so', async () => {
  const listener = await join('talk', 'ben', { canPublish: false });
  const by = (own) => new RoomServiceClient(server.origin, undefined, undefined, { token: own });
  const denied = { code: 'permission_denied', status: 403 };
  await assert.rejects(by(listener.token).removeParticipant('talk', 'ben'), denied);
  await assert.rejects(by(listener.token).updateParticipant('talk', 'ben', { permission: everything }), denied);
  const elsewhere = await token('other', 'ana', { roomAdmin: true });
  await assert.rejects(by(elsewhere).removeParticipant('talk', 'ben'), denied);
  await assert.rejects(server.moderate('SetRoom', listener.token, { room: 'talk', locked: true }), denied);
  const forged = new RoomServiceClient(server.origin, KEY, 'not the secret at all, but as long as one is');
  await assert.rejects(forged.listRooms(), { code: 'unauthenticated', status: 401 });
  await assert.rejects(rooms.removeParticipant('talk', 'nobody'), { code: 'not_found', status: 404 });
  await assert.rejects(rooms.listParticipants('nowhere'), { code: 'not_found', status: 404 });
  const nothing = await new AccessToken(KEY, SECRET).toJwt();
  await assert.rejects(by(nothing).listRooms(), denied);
});
