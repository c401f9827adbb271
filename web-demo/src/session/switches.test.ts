import { expect, it } from 'vitest';
import { readSwitches } from './switches';

it('leaves everything on by default', () => {
  expect(readSwitches('')).toEqual({
    dualPeerConnection: false,
    name: undefined,
    autojoin: false,
    camera: true,
    mic: true,
    codec: undefined,
    simulcast: true,
    invite: undefined,
  });
});

it('reads every switch', () => {
  expect(
    readSwitches('?pc=dual&name=%20ana&autojoin=1&video=0&audio=0&codec=VP9&simulcast=0&invite=a.b.c'),
  ).toEqual({
    dualPeerConnection: true,
    name: 'ana',
    autojoin: true,
    camera: false,
    mic: false,
    codec: 'vp9',
    simulcast: false,
    invite: 'a.b.c',
  });
});

it('ignores what it does not know', () => {
  expect(readSwitches('?codec=mpeg&pc=triple&autojoin=yes')).toMatchObject({
    codec: undefined,
    dualPeerConnection: false,
    autojoin: false,
  });
});
