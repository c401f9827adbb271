// The frame of what opens beside the grid, or over it on a phone: a heading, a way to close it.
import type { ReactNode } from 'react';
import { Icon } from '../ui/icons';

interface Props {
  title: string;
  testId: string;
  onClose: () => void;
  children: ReactNode;
}

export function Panel({ title, testId, onClose, children }: Props) {
  return (
    <aside
      className="panel"
      aria-label={title}
      data-testid={testId}
      onKeyDown={(event) => event.key === 'Escape' && onClose()}
    >
      <header className="panel-header">
        <h2>{title}</h2>
        <button
          type="button"
          className="plain-button"
          aria-label={`Close ${title.toLowerCase()}`}
          title={`Close ${title.toLowerCase()}`}
          onClick={onClose}
        >
          <Icon name="close" size={22} />
        </button>
      </header>
      {children}
    </aside>
  );
}
