// Line icons, drawn on a 24 by 24 field in the colour of the text around them.
import type { ReactNode } from 'react';

const PATHS = {
  mic: (
    <>
      <rect x="9" y="3" width="6" height="11" rx="3" />
      <path d="M5.5 11.5a6.5 6.5 0 0 0 13 0M12 18v3" />
    </>
  ),
  'mic-off': (
    <>
      <path d="M15 9.5V6a3 3 0 0 0-5.8-1M9 9.5V11a3 3 0 0 0 4.4 2.6M5.5 11.5a6.5 6.5 0 0 0 10.3 5.3M18.1 13.8c.3-.7.4-1.5.4-2.3M12 18v3M4 3.5l16 17" />
    </>
  ),
  camera: (
    <>
      <rect x="2.5" y="6" width="13" height="12" rx="3" />
      <path d="m15.5 10.7 4.4-2.9c.7-.4 1.6 0 1.6.8v6.8c0 .8-.9 1.2-1.6.8l-4.4-2.9" />
    </>
  ),
  'camera-off': (
    <>
      <path d="M10.5 6h2a3 3 0 0 1 3 3v2l4.4-3.200c.7-.4 1.6 0 1.6.8v6.800c0 .5-.3.8-.7.9M15.5 15.500A3 3 0 0 1 12.5 18h-7a3 3 0 0 1-3-3V9a3 3 0 0 1 2.4-2.900M4 3.500l16 17" />
    </>
  ),
  screen: (
    <>
      <rect x="2.5" y="4" width="19" height="13" rx="2.5" />
      <path d="M8.5 20.500h7M12 13.500v-6M9.3 10 12 7.300l2.7 2.7" />
    </>
  ),
  chat: (
    <path d="M4 18.800V7a3 3 0 0 1 3-3h10a3 3 0 0 1 3 3v7a3 3 0 0 1-3 3H8.500L5 19.600c-.4.3-1 0-1-.8ZM8.5 9h7M8.5 12.500h4.5" />
  ),
  leave: (
    <path
      d="M12 9.200c-2 0-3.8.3-5.4.8-.5.2-.9.6-.9 1.100v1.800c0 .6-.4 1.1-1 1.200l-1.7.300c-.7.1-1.4-.4-1.4-1.2 0-1.7.5-3 1.8-3.900C5.6 7.6 8.6 6.9 12 6.900s6.4.7 8.6 2.400c1.3.9 1.8 2.2 1.8 3.9 0 .8-.7 1.3-1.4 1.200l-1.7-.300c-.6-.1-1-.6-1-1.200v-1.800c0-.5-.4-.9-.9-1.1-1.6-.5-3.4-.8-5.4-.8Z"
      transform="translate(0 2)"
    />
  ),
  link: (
    <path d="M10 14a4 4 0 0 0 5.7 0l3-3A4 4 0 0 0 13 5.300l-1.2 1.200M14 10a4 4 0 0 0-5.7 0l-3 3A4 4 0 0 0 11 18.700l1.2-1.2" />
  ),
  check: <path d="m5 12.5 4.5 4.500L19 7.5" />,
  people: (
    <>
      <circle cx="9" cy="8.5" r="3.5" />
      <path d="M2.5 19.500c.5-3.5 3-5.5 6.5-5.500s6 2 6.5 5.500M15.5 5.300a3.5 3.5 0 0 1 0 6.400M18 14.600c2 .8 3.2 2.4 3.5 4.9" />
    </>
  ),
  close: <path d="m6 6 12 12M18 6 6 18" />,
  send: <path d="M4.5 5.2 20 12 4.5 18.800l2-6.8-2-6.800ZM6.5 12H13" />,
  refresh: <path d="M19.5 12a7.5 7.5 0 1 1-2.2-5.300L20 9.300M20 4.500v4.800h-4.8" />,
  sound: <path d="M4 9.500v5h3.500l4.5 4v-13l-4.5 4H4ZM15.5 9a4 4 0 0 1 0 6M18 6.500a7.5 7.5 0 0 1 0 11" />,
  hand: (
    <path d="M8 12V5.800a1.500 1.500 0 0 1 3 0V11V4.500a1.500 1.500 0 0 1 3 0V11V6a1.500 1.500 0 0 1 3 0v8.500c0 3.700-2.400 6.500-6 6.500-2.700 0-4.300-1.200-5.600-3.600L3.600 13.800c-.9-1.700 1-3.100 2.400-1.800L8 14V12" />
  ),
  grid: (
    <>
      <rect x="3.5" y="4.5" width="7.500" height="6.500" rx="1.800" />
      <rect x="13" y="4.5" width="7.500" height="6.500" rx="1.800" />
      <rect x="3.5" y="13" width="7.500" height="6.500" rx="1.800" />
      <rect x="13" y="13" width="7.500" height="6.500" rx="1.800" />
    </>
  ),
  speaker: (
    <>
      <rect x="3" y="4.500" width="12.500" height="15" rx="2.500" />
      <path d="M19 5.500h2M19 10h2M19 14.500h2M19 19h2" />
    </>
  ),
  pin: <path d="M9 3.500h6l-.8 6.200 3.300 3.300v1.500h-11V13l3.300-3.300L9 3.500ZM12 14.500v6" />,
  unpin: (
    <path d="M9.500 3.500H15l-.8 6.200 3.300 3.300v1.500h-3M11 14.500H6.500V13l3-3M12 14.500v6M4 3.500l16 17" />
  ),
  search: (
    <>
      <circle cx="10.500" cy="10.500" r="6" />
      <path d="m15 15 5 5" />
    </>
  ),
  left: <path d="m14.500 5.500-6.500 6.500 6.500 6.500" />,
  right: <path d="m9.500 5.500 6.500 6.500-6.500 6.500" />,
  lock: (
    <>
      <rect x="5" y="10.500" width="14" height="9.500" rx="2.500" />
      <path d="M8 10.500V8a4 4 0 0 1 8 0v2.500M12 14v2.500" />
    </>
  ),
  door: (
    <path d="M6 20.500V5a1.500 1.500 0 0 1 1.500-1.500h9A1.500 1.500 0 0 1 18 5v15.500M3.500 20.500h17M14.500 12v.500" />
  ),
  remove: (
    <>
      <circle cx="10" cy="8.500" r="3.500" />
      <path d="M3.500 19.500c.5-3.500 3-5.500 6.500-5.500 1.600 0 3 .4 4 1.200M16.500 15.500l4.500 4.500M21 15.500 16.500 20" />
    </>
  ),
  crown: <path d="M4 17.500 3 8l5 3.500L12 5l4 6.500L21 8l-1 9.500H4Z" />,
} satisfies Record<string, ReactNode>;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 24 }: { name: IconName; size?: number }) {
  return (
    <svg
      className="icon"
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.8"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      {PATHS[name]}
    </svg>
  );
}
