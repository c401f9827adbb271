// Names for people of the load generator, so that a crowd reads like one.
import { writeFileSync } from 'node:fs';

const FIRST =
  'Ana Bima Chloé Дмитро Emeka Fatma Giorgos Hana Ines Jonas Kavya Lars Mei Nadia Omar Priya Quentin Rosa Siti Tomás Ulla Viktor Wanjiru Xenia Yusuf Zofia Aiko Bruno Carmen Dewi';
const LAST =
  'Pereira Santoso Moreau Nwosu Yılmaz Papadaki Novák Costa Weber Iyer Lindqvist Zhang Haddad Rahman Dubois Romero Wijaya García Virtanen Petrov Kamau Ivanova Demir Kowalska Tanaka Oliveira Vega Lestari Okafor Schmidt';

/** Writes as many different ones as there are, one a line. @param {string} path */
export function writeNames(path) {
  const [first, last] = [FIRST.split(' '), LAST.split(' ')];
  const names = first.flatMap((_, shift) => first.map((name, n) => `${name} ${last[(n + shift * 7) % last.length]}`));
  writeFileSync(path, `${names.join('\n')}\n`);
  return path;
}
