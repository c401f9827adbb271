import { ConnectionError, DisconnectReason } from 'livekit-client';
import { describe, expect, it } from 'vitest';
import { InsecurePageError, problemOfDevice, problemOfDisconnect, problemOfJoin, TokenError } from './words';

const named = (name: string) => Object.assign(new Error(name), { name });

describe('a disconnect', () => {
  const reasons = Object.values(DisconnectReason).filter((r) => typeof r === 'number');

  it.each(reasons)('with reason %i has a title and a text', (reason) => {
    const problem = problemOfDisconnect(reason);
    expect(problem.title).not.toBe('');
    expect(problem.text).not.toBe('');
  });

  it('that the server did not mean is retried', () => {
    for (const reason of [undefined, DisconnectReason.SERVER_SHUTDOWN, DisconnectReason.SIGNAL_CLOSE]) {
      expect(problemOfDisconnect(reason)).toMatchObject({ kind: 'reconnecting', remedy: 'retry' });
    }
  });

  it('by removal or by a second tab is final', () => {
    expect(problemOfDisconnect(DisconnectReason.PARTICIPANT_REMOVED)).toMatchObject({
      kind: 'removed',
      remedy: 'stop',
    });
    expect(problemOfDisconnect(DisconnectReason.DUPLICATE_IDENTITY)).toMatchObject({
      kind: 'other',
      remedy: 'stop',
    });
  });
});

it('who is turned away at the door was not let in, who is inside was removed', () => {
  const { PARTICIPANT_REMOVED } = DisconnectReason;
  expect(problemOfDisconnect(PARTICIPANT_REMOVED, true).title).toMatch(/not let in/);
  expect(problemOfDisconnect(PARTICIPANT_REMOVED).title).toMatch(/removed/);
});

describe('a failed join', () => {
  it('into a full room says so and stops', () => {
    const full = { kind: 'room-full', remedy: 'stop' };
    expect(problemOfJoin(ConnectionError.notAllowed('room is full', 403))).toMatchObject(full);
    expect(problemOfJoin(new TokenError(409, 'This room is full.'))).toMatchObject(full);
  });

  it('into a locked room says so and stops', () => {
    const locked = { kind: 'room-locked', remedy: 'stop' };
    expect(problemOfJoin(ConnectionError.notAllowed('the room is locked', 403))).toMatchObject(locked);
    expect(problemOfJoin(new TokenError(403, 'the room is locked'))).toMatchObject(locked);
  });

  it('with a refused token asks for a new one', () => {
    expect(problemOfJoin(ConnectionError.notAllowed('token is expired', 401))).toMatchObject({
      kind: 'token',
      remedy: 'new-token',
    });
  });

  it('without the right to the room stops', () => {
    expect(problemOfJoin(ConnectionError.notAllowed('no permission to join', 403))).toMatchObject({
      kind: 'token',
      remedy: 'stop',
    });
  });

  it('with no server there is retried, whoever noticed', () => {
    for (const error of [
      new TokenError(0, ''),
      new TokenError(503, ''),
      ConnectionError.serverUnreachable('refused'),
      ConnectionError.websocket('closed'),
      ConnectionError.timeout('slow'),
      ConnectionError.internal('oops'),
    ]) {
      expect(problemOfJoin(error)).toMatchObject({ kind: 'server', remedy: 'retry' });
    }
  });

  it('told to leave takes the words of that reason', () => {
    const error = ConnectionError.leaveRequest('leave', DisconnectReason.PARTICIPANT_REMOVED);
    expect(problemOfJoin(error)).toMatchObject({ kind: 'removed', remedy: 'stop' });
  });

  it('shows the words of the token endpoint', () => {
    expect(problemOfJoin(new TokenError(400, 'the name is too long')).text).toBe('The name is too long.');
    expect(problemOfJoin(new TokenError(404, '')).text).toContain('--dev');
  });

  it('of an unknown sort is retried', () => {
    expect(problemOfJoin(new Error('negotiation'))).toMatchObject({ kind: 'other', remedy: 'retry' });
    expect(problemOfJoin('odd')).toMatchObject({ kind: 'other', remedy: 'retry' });
  });
});

describe('a device', () => {
  it('that is refused, missing, busy or hidden has its own words', () => {
    const titles = [
      named('NotAllowedError'),
      named('NotFoundError'),
      named('NotReadableError'),
      named('OverconstrainedError'),
      new InsecurePageError(),
    ].map((error) => problemOfDevice('camera', error)?.title);
    expect(new Set(titles).size).toBe(titles.length);
    expect(titles).not.toContain(undefined);
  });

  it('is named', () => {
    expect(problemOfDevice('mic', named('NotAllowedError'))).toMatchObject({
      kind: 'mic',
      title: 'Microphone is not allowed',
    });
  });

  it('says nothing when the screen picker was closed', () => {
    expect(problemOfDevice('screen', named('NotAllowedError'))).toBeUndefined();
    expect(problemOfDevice('screen', named('NotReadableError'))).toMatchObject({ kind: 'other' });
  });
});
