// A person's initials and colour, the same on every screen.

/** First letters of the first and last word; whole characters, so that no letter or emoji is cut in half. */
export function initialsOf(name: string): string {
  const words = name.trim().split(/\s+/).filter(Boolean);
  const first = firstCharacter(words[0]);
  const last = words.length > 1 ? firstCharacter(words.at(-1)) : '';
  return (first + last).toUpperCase() || '?';
}

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

function firstCharacter(word = ''): string {
  return graphemes.segment(word)[Symbol.iterator]().next().value?.segment ?? '';
}

/** A hue in degrees out of an identity, spread well also for identities that differ by one letter. */
export function hueOf(identity: string): number {
  let hash = 2166136261;
  for (let i = 0; i < identity.length; i++) {
    hash = Math.imul(hash ^ identity.charCodeAt(i), 16777619);
  }
  return ((hash >>> 0) * 137.508) % 360;
}
