// Who is in the call: counted, searched, hands on top, and for hosts what they may do about each.
import { useDeferredValue, useMemo, useState } from 'react';
import type { RoomModel } from '../room/model';
import type { Person } from '../room/person';
import { listed } from '../room/search';
import { useStore } from '../session/store';
import { Confirm } from '../ui/confirm';
import { Icon } from '../ui/icons';
import { VirtualList } from '../ui/virtual-list';
import { HostTools } from './host-tools';
import { Panel } from './panel';
import { PersonRow } from './person-row';
import { WaitingList } from './waiting-list';

/** Of a row, pixels. */
const ROW = 56;

interface Props {
  model: RoomModel;
  room: string;
  onClose: () => void;
}

export function PeoplePanel({ model, room, onClose }: Props) {
  const crowd = useStore(model.people);
  const [search, setSearch] = useState('');
  const [removing, setRemoving] = useState<Person>();
  const looked = useDeferredValue(search);
  const people = useMemo(() => listed(crowd.me, crowd.others, looked), [crowd, looked]);
  const count = crowd.others.length + 1;
  const host = crowd.me.role === 'host';

  return (
    <Panel title="People" testId="people-panel" onClose={onClose}>
      {host && <HostTools desk={model.desk} room={room} />}
      {host && <WaitingList waiting={crowd.waiting} desk={model.desk} />}
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
        {(person) => <PersonRow person={person} model={model} asHost={host} onRemove={setRemoving} />}
      </VirtualList>
      {removing && (
        <Confirm
          title={`Remove ${removing.name}?`}
          text="They leave the call at once, and are told that they were removed."
          action="Remove"
          onYes={() => {
            void model.desk.remove(removing.identity);
            setRemoving(undefined);
          }}
          onNo={() => setRemoving(undefined)}
        />
      )}
    </Panel>
  );
}
