// Who waits at the door, for hosts: let in or turned away.
import type { HostDesk } from '../room/host-desk';
import type { Person } from '../room/person';
import { Avatar } from '../ui/avatar';

/** More than these are let in before the others are shown. */
const SHOWN = 20;

export function WaitingList({ waiting, desk }: { waiting: readonly Person[]; desk: HostDesk }) {
  if (waiting.length === 0) return null;
  const rest = waiting.length - SHOWN;
  return (
    <section className="waiting-list" aria-label="Waiting to be let in" data-testid="waiting-list">
      <h3>Waiting to be let in · {waiting.length}</h3>
      <ul>
        {waiting.slice(0, SHOWN).map(({ identity, name }) => (
          <li key={identity} className="person" data-testid="waiting-person" data-identity={identity}>
            <Avatar identity={identity} name={name} />
            <span className="person-name">
              <span>{name}</span>
            </span>
            <button
              type="button"
              className="small-button small-primary"
              data-testid="admit"
              aria-label={`Let ${name} in`}
              onClick={() => void desk.admit(identity)}
            >
              Admit
            </button>
            <button
              type="button"
              className="small-button"
              data-testid="deny"
              aria-label={`Don’t let ${name} in`}
              onClick={() => void desk.remove(identity)}
            >
              Deny
            </button>
          </li>
        ))}
      </ul>
      {rest > 0 && <p className="people-none">and {rest} more</p>}
    </section>
  );
}
