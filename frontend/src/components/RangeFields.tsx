import { useZone } from "../session";

/** `2026-11-21T10:42` of the plant's wall clock, as the browser's own field wants it. */
export function fieldText(ms: number, zone: ReturnType<typeof useZone>): string {
  return zone.full(ms).slice(0, 16).replace(" ", "T");
}

/** The moment such a field says, null while it says none. */
export function instantOf(text: string, zone: ReturnType<typeof useZone>): number | null {
  const found = /^(\d+)-(\d+)-(\d+)T(\d+):(\d+)/.exec(text);
  if (!found) return null;
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0] = found.slice(1).map(Number);
  return zone.instant(year, month, day, hour, minute);
}

/** A moment in the plant's zone, whatever zone the browser is in. */
export function MomentField({ label, value, onChange }: { label: string; value: number; onChange: (ms: number) => void }) {
  const zone = useZone();
  return (
    <input
      type="datetime-local"
      className="ms-datetime ms-num"
      aria-label={label}
      defaultValue={fieldText(value, zone)}
      onChange={(event) => {
        const ms = instantOf(event.target.value, zone);
        if (ms !== null) onChange(ms);
      }}
    />
  );
}
