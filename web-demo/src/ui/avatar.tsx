// Someone without a picture: their initials on a colour of their own.
import type { CSSProperties } from 'react';
import { hueOf, initialsOf } from './person';

export function Avatar({ identity, name }: { identity: string; name: string }) {
  return (
    <div className="avatar" style={{ '--hue': hueOf(identity) } as CSSProperties} aria-hidden="true">
      <span>{initialsOf(name)}</span>
    </div>
  );
}
