// A list of rows of one height that makes only those in sight, so that a thousand cost as much as twenty.
import { useLayoutEffect, useRef, useState, type ReactNode } from 'react';

interface Props<T> {
  items: readonly T[];
  /** Of a row, pixels. */
  height: number;
  keyOf: (item: T) => string;
  label: string;
  children: (item: T) => ReactNode;
}

/** Rows made beyond what is in sight, so that scrolling shows no gaps. */
const BEYOND = 6;

export function VirtualList<T>({ items, height, keyOf, label, children }: Props<T>) {
  const frame = useRef<HTMLDivElement>(null);
  const [seen, setSeen] = useState({ first: 0, count: 20 });

  const look = () => {
    const element = frame.current;
    if (!element) return;
    const first = Math.floor(element.scrollTop / height);
    const count = Math.ceil(element.clientHeight / height) + 1;
    setSeen((before) => (before.first === first && before.count === count ? before : { first, count }));
  };

  useLayoutEffect(() => {
    const element = frame.current;
    if (!element) return;
    const observer = new ResizeObserver(look);
    observer.observe(element);
    return () => observer.disconnect();
    // `look` reads what it needs from the element.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, []);

  const first = Math.max(0, seen.first - BEYOND);
  const shown = items.slice(first, seen.first + seen.count + BEYOND);
  return (
    <div className="virtual-list" ref={frame} onScroll={look}>
      <ul aria-label={label} style={{ height: items.length * height }}>
        {shown.map((item, n) => (
          <li
            key={keyOf(item)}
            aria-setsize={items.length}
            aria-posinset={first + n + 1}
            style={{ transform: `translateY(${(first + n) * height}px)`, height }}
          >
            {children(item)}
          </li>
        ))}
      </ul>
    </div>
  );
}
