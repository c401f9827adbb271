import { expect, it } from 'vitest';
import type { Person } from './person';
import { listed } from './search';

const person = (name: string, more: Partial<Person> = {}): Person => ({
  ...{ identity: name, name, local: false, joinedAt: 0, role: 'speaker', hand: 0, waiting: false },
  ...{ mic: true, camera: true, screen: false, speaking: false, speaksSince: 0, spokeAt: 0 },
  ...more,
});
const me = person('Zoë', { local: true });
const names = (people: Person[]) => people.map(({ name }) => name).join(' ');

it('hands first, by who was first; then oneself, hosts and the others by name', () => {
  const others = [
    person('Łukasz'),
    person('bo', { hand: 20 }),
    person('Åsa', { role: 'listener' }),
    person('Cem', { role: 'host' }),
    person('Ana'),
    person('Dora', { hand: 10, role: 'listener' }),
  ];
  expect(names(listed(me, others, ''))).toBe('Dora bo Zoë Cem Ana Łukasz Åsa');
});

it('finds parts of names, whatever the marks and the case', () => {
  const others = [person('José Álvarez'), person('Ana Pereira'), person('Joseph')];
  expect(names(listed(me, others, 'jose'))).toBe('José Álvarez Joseph');
  expect(names(listed(me, others, '  ALV jo '))).toBe('José Álvarez');
  expect(names(listed(me, others, 'zoe'))).toBe('Zoë');
  expect(listed(me, others, 'x')).toEqual([]);
});
