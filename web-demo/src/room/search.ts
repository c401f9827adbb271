// The list of people: whom a search finds, and in what order they stand. Pure.
import type { Person } from './person';

const collator = new Intl.Collator(undefined, { sensitivity: 'base', numeric: true });

/** Without marks and case, so that "jose" finds José. */
const plain = (text: string) => text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();

/** Raised hands by who was first, then oneself, hosts, speakers and listeners, each by name. */
export function listed(me: Person, others: readonly Person[], search: string): Person[] {
  const words = plain(search).split(/\s+/).filter(Boolean);
  const found = (person: Person) => {
    const name = words.length > 0 ? plain(person.name) : '';
    return words.every((word) => name.includes(word));
  };
  return [me, ...others].filter(found).sort(byPlace);
}

const RANK = { host: 1, speaker: 2, listener: 3 };
const rank = ({ local, role }: Person) => (local ? 0 : RANK[role]);

function byPlace(a: Person, b: Person): number {
  if (a.hand !== b.hand) return a.hand === 0 ? 1 : b.hand === 0 ? -1 : a.hand - b.hand;
  return rank(a) - rank(b) || collator.compare(a.name, b.name) || (a.identity < b.identity ? -1 : 1);
}
