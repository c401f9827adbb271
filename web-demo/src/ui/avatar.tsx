// Someone without a picture: their initials on a colour of their own.
import type { CSSProperties } from 'react';
import { hueOf, initialsOf } from './person';

/** @param waiting a picture is on its way */
export function Avatar({
  identity,
  name,
  waiting = false,
}: {
  identity: string;
  name: string;
  waiting?: boolean;
}) {
  return (
    <div
      className={`avatar${waiting ? ' avatar-waiting' : ''}`}
      style={{ '--hue': hueOf(identity) } as CSSProperties}
      aria-hidden="true"
    >
      <span>{initialsOf(name)}</span>
    </div>
  );
}
