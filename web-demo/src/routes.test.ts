import { describe, expect, it } from 'vitest';
import { pathOfRoom, roomName, roomOfPath } from './routes';

describe('a path', () => {
  it('leads to a room or home', () => {
    expect(roomOfPath('/r/team-lunch')).toBe('team-lunch');
    expect(roomOfPath('/r/team-lunch/')).toBe('team-lunch');
    expect(roomOfPath('/')).toBeUndefined();
    expect(roomOfPath('/r/')).toBeUndefined();
    expect(roomOfPath('/r/%zz')).toBeUndefined();
  });

  it('comes back as the room it was made of', () => {
    expect(roomOfPath(pathOfRoom('käse_42'))).toBe('käse_42');
  });
});

describe('a room name', () => {
  it('is tidied', () => {
    expect(roomName('  Team Lunch! ')).toBe('team-lunch');
    expect(roomName('../../etc')).toBe('etc');
    expect(roomName('!!!')).toBe('');
    expect(roomName('x'.repeat(100))).toHaveLength(64);
  });

  it('is taken from a pasted link', () => {
    expect(roomName('https://example.org/r/team-lunch?name=ana')).toBe('team-lunch');
    expect(roomName('/r/%zz')).toBe('zz');
  });
});
