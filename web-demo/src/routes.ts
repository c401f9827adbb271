// The two addresses of the page, `/` and `/r/<room>`, and the rules for room names.

export const MAX_ROOM_LENGTH = 64;
export const MAX_NAME_LENGTH = 48;

/** The room a path leads to, or `undefined` on the home page. */
export function roomOfPath(path: string): string | undefined {
  const match = /^\/r\/([^/]+)\/?$/.exec(path);
  if (!match?.[1]) return undefined;
  try {
    return roomName(decodeURIComponent(match[1])) || undefined;
  } catch {
    return undefined;
  }
}

export function pathOfRoom(room: string): string {
  return `/r/${encodeURIComponent(room)}`;
}

/** @param invite decides the role of who comes by the link */
export function linkOfRoom(room: string, invite?: string): string {
  const query = invite === undefined ? '' : `?${new URLSearchParams({ invite }).toString()}`;
  return window.location.origin + pathOfRoom(room) + query;
}

/** A room name out of what was typed: the name itself, loosely written, or a pasted link to the room. */
export function roomName(typed: string): string {
  const link = /\/r\/([^/?#\s]+)/.exec(typed);
  let name = typed;
  if (link?.[1]) {
    try {
      name = decodeURIComponent(link[1]);
    } catch {
      name = link[1];
    }
  }
  return name
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}_-]+/gu, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, MAX_ROOM_LENGTH);
}
