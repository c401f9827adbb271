// The line below the tiles for turning pages.
import { Icon } from '../ui/icons';

interface Props {
  /** From 0. */
  page: number;
  pages: number;
  onTurn: (by: number) => void;
}

export function Pager({ page, pages, onTurn }: Props) {
  return (
    <nav className="pager" aria-label="Pages of people" data-testid="pager">
      <button
        type="button"
        className="plain-button"
        data-testid="previous-page"
        aria-label="Previous page"
        title="Previous page (Page Up)"
        disabled={page === 0}
        onClick={() => onTurn(-1)}
      >
        <Icon name="left" size={22} />
      </button>
      <span data-testid="page-count" aria-live="polite">
        <span className="unseen">Page </span>
        {page + 1}
        <span className="pager-of"> / {pages}</span>
      </span>
      <button
        type="button"
        className="plain-button"
        data-testid="next-page"
        aria-label="Next page"
        title="Next page (Page Down)"
        disabled={page === pages - 1}
        onClick={() => onTurn(1)}
      >
        <Icon name="right" size={22} />
      </button>
    </nav>
  );
}
