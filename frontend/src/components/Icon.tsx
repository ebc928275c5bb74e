/** Our own line icons: 20 px, drawn in the text's colour. */
const PATHS = {
  overview: "M3 10l7-6 7 6M5 9v8h10V9",
  plant: "M3 17V8l4 3V8l4 3V8l4 3V3h2v14zM3 17h14",
  alarms: "M10 3 18 17H2zM10 8v4M10 14.2v.6",
  trends: "M3 3v14h14M5 13l3-5 3 3 5-7",
  pictures: "M3 4h14v12H3zM6 12a2 2 0 1 1 4 0 2 2 0 0 1-4 0M10 12h3V8h4",
  apps: "M3 3h6v6H3zM11 3h6v6h-6zM3 11h6v6H3zM11 11h6v6h-6z",
  connect: "M7 13l-1.5 1.5a2.8 2.8 0 0 1-4-4L5 7a2.8 2.8 0 0 1 4 0M13 7l1.5-1.5a2.8 2.8 0 0 1 4 4L15 13a2.8 2.8 0 0 1-4 0M7.5 10h5",
  admin: "M10 9.5a3 3 0 1 0 0-6 3 3 0 0 0 0 6M3.5 17c0-3.5 3-5 6.5-5s6.5 1.5 6.5 5",
  more: "M4 10h.01M10 10h.01M16 10h.01",
  search: "M9 14.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11M13 13l4.5 4.5",
  theme: "M10 3a7 7 0 1 0 0 14zM10 3a7 7 0 0 1 0 14",
  tasks: "M3.5 5.5l1.5 1.5 2.5-3M3.5 13.5l1.5 1.5 2.5-3M10.5 6h6M10.5 14h6",
  menu: "M3 5h14M3 10h14M3 15h14",
  close: "M5 5l10 10M15 5L5 15",
  expand: "M7 4l6 6-6 6",
  star: "M10 2.5l2.3 4.9 5.2.7-3.8 3.7.9 5.3L10 14.6l-4.6 2.5.9-5.3L2.5 8.1l5.2-.7z",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 20 }: { name: IconName; size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 20 20" fill="none" stroke="currentColor" strokeWidth="1.6" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
