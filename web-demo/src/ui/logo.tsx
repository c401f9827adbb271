// The mark of Ramai: a circle of people around the one who speaks.

export function Logo({ size = 32 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="9" fill="var(--accent)" />
      <circle cx="16" cy="16" r="5.2" fill="#fff" />
      <g fill="#ffd9c9">
        <circle cx="16" cy="6.2" r="2.7" />
        <circle cx="25.3" cy="13" r="2.7" />
        <circle cx="21.8" cy="23.9" r="2.7" />
        <circle cx="10.2" cy="23.9" r="2.7" />
        <circle cx="6.7" cy="13" r="2.7" />
      </g>
    </svg>
  );
}
