// Who is in the call: counted, searched, hands on top, and for hosts what they may do about each.
import { useDeferredValue, useMemo, useState } from 'react';
import type { RoomModel } from '../room/model';
import { listed } from '../room/search';
import { useStore } from '../session/store';
import { Icon } from '../ui/icons';
import { VirtualList } from '../ui/virtual-list';
import { Panel } from './panel';
import { PersonRow } from './person-row';

/** Of a row, pixels. */
const ROW = 56;

export function PeoplePanel({ model, onClose }: { model: RoomModel; onClose: () => void }) {
  const crowd = useStore(model.people);
  const [search, setSearch] = useState('');
  const looked = useDeferredValue(search);
  const people = useMemo(() => listed(crowd.me, crowd.others, looked), [crowd, looked]);
  const count = crowd.others.length + 1;
  const host = crowd.me.role === 'host';

  return (
    <Panel title="People" testId="people-panel" onClose={onClose}>
      <label className="people-search">
        <Icon name="search" size={18} />
        <input
          type="search"
          data-testid="people-search"
          value={search}
          placeholder={`Search ${count} ${count === 1 ? 'person' : 'people'}`}
          aria-label="Search people"
          autoComplete="off"
          onChange={(event) => setSearch(event.target.value)}
        />
      </label>
      {people.length === 0 && <p className="people-none">Nobody of that name is here.</p>}
      <VirtualList items={people} height={ROW} keyOf={({ identity }) => identity} label="People in the call">
        {(person) => <PersonRow person={person} model={model} asHost={host} />}
      </VirtualList>
    </Panel>
  );
}
