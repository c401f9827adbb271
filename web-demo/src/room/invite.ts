// Invites in links: who has one comes in as what it says. The server decides by its signature; here it is only read.
import type { InviteRole } from './moderation';

/** What an invite says one will be; `undefined` for what isn't one. */
export function inviteRole(invite: string | undefined): InviteRole | undefined {
  const payload = invite?.split('.')[1];
  if (!payload) return undefined;
  try {
    const words = JSON.parse(atob(payload.replace(/-/g, '+').replace(/_/g, '/'))) as {
      invite?: { role?: unknown };
    };
    const role = words.invite?.role;
    return role === 'speaker' || role === 'listener' ? role : undefined;
  } catch {
    return undefined;
  }
}
