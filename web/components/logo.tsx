/** The mark of the product. */
export const Logo = ({ size = 24 }: { size?: number }) => (
  <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden className="shrink-0">
    <rect width="32" height="32" rx="8" className="fill-accent-fill" />
    <path
      d="M10 8v13.5h6"
      fill="none"
      className="stroke-on-fill"
      strokeWidth="3.2"
      strokeLinecap="round"
      strokeLinejoin="round"
    />
    <circle cx="22" cy="21.5" r="2.4" className="fill-on-fill" />
  </svg>
)
