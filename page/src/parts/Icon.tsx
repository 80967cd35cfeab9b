const PATHS = {
  arrow: "M2.5 8h11M9.5 4l4 4-4 4",
  down: "M4 6l4 4 4-4",
  check: "M3 8.5l3.200 3.200L13 4.500",
  cross: "M4 4l8 8M12 4l-8 8",
  dot: "M8 7.500v1",
  light:
    "M8 1.500v1.500M8 13v1.500M1.500 8H3M13 8h1.500M3.400 3.400l1.100 1.100M11.500 11.500l1.100 1.100M12.600 3.400l-1.100 1.100M4.500 11.500l-1.100 1.100M8 5.200a2.800 2.800 0 100 5.600 2.800 2.800 0 000-5.600z",
  dark: "M13 9.600A5.500 5.500 0 016.400 3a5.500 5.500 0 106.600 6.600z",
  system: "M8 2a6 6 0 100 12A6 6 0 008 2zM8 2v12M8 5.500h3.800M8 8h6M8 10.500h3.800",
  help: "M5.800 6a2.200 2.200 0 114 1.300c-.8.7-1.800 1-1.800 2.200M8 12v.4",
  key: "M10 2.500a3.500 3.500 0 11-2.800 5.600L2.500 12.800V14h2.200v-1.500h1.500V11h1.500l.6-.6",
} as const;

/** A line drawing of 16 by 16; it says nothing that words beside it do not. */
export function Icon({ name }: { name: keyof typeof PATHS }) {
  return (
    <svg className="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
