// A question before something that can't be taken back.
import { useEffect, useRef } from 'react';

interface Props {
  title: string;
  text: string;
  /** On the button that does it. */
  action: string;
  onYes: () => void;
  onNo: () => void;
}

export function Confirm({ title, text, action, onYes, onNo }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    // Escape closes it as the browser does.
    <dialog
      ref={dialog}
      className="confirm"
      aria-labelledby="confirm-title"
      data-testid="confirm"
      onClose={onNo}
    >
      <h2 id="confirm-title">{title}</h2>
      <p>{text}</p>
      <div className="confirm-actions">
        <button type="button" className="button" onClick={onNo}>
          Cancel
        </button>
        <button
          type="button"
          className="button button-danger"
          data-testid="confirm-yes"
          onClick={onYes}
          autoFocus
        >
          {action}
        </button>
      </div>
    </dialog>
  );
}
