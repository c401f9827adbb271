import { expect, it } from 'vitest';
import { inviteRole } from './invite';

const jwt = (payload: unknown) => {
  const bytes = new TextEncoder().encode(JSON.stringify(payload));
  const base64 = btoa(String.fromCharCode(...bytes));
  return `e30.${base64.replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '')}.sig`;
};

it('an invite says what one will be', () => {
  expect(inviteRole(jwt({ iss: 'key', invite: { room: 'Zürich?~ÿ', role: 'listener' } }))).toBe('listener');
  expect(inviteRole(jwt({ invite: { room: 'a', role: 'speaker' } }))).toBe('speaker');
});

it('what is no invite says nothing', () => {
  for (const invite of [undefined, '', 'x', 'a.b.c', jwt({}), jwt({ invite: { role: 'host' } }), jwt(null)]) {
    expect(inviteRole(invite)).toBeUndefined();
  }
});
