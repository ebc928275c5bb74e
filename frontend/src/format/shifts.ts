/** The shifts of a day, by the wall clock: milliseconds since midnight at which one begins, rising. */

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Where a site has no calendar of its own: three shifts of eight hours. */
export const USUAL_SHIFTS: readonly number[] = [6 * HOUR, 14 * HOUR, 22 * HOUR];

export interface Calendar {
  path: string;
  starts: readonly string[];
}

const startsOf = ({ starts }: Calendar): number[] => starts.map((text) => Number(text.slice(0, 2)) * HOUR + Number(text.slice(3, 5)) * MINUTE);

/** The shifts of the site a tag lies in; null where it has no calendar. */
export function shiftsAt(path: string, calendars: readonly Calendar[]): readonly number[] | null {
  const found = calendars.find((calendar) => `${path}/`.startsWith(`${calendar.path}/`));
  return found ? startsOf(found) : null;
}

/** The shifts that a page of the whole plant goes by: those of the first site that has a calendar. */
export function shiftsOfPlant(calendars: readonly Calendar[]): readonly number[] {
  const [first] = calendars;
  return first ? startsOf(first) : USUAL_SHIFTS;
}

/** The shift that a wall clock lies in: when it began and when it ends. */
export function shiftAt(wall_ms: number, starts: readonly number[]): { start: number; end: number } {
  const midnight = Math.floor(wall_ms / DAY) * DAY;
  const moments = [-DAY, 0, DAY].flatMap((day) => starts.map((start) => midnight + day + start));
  const start = moments.filter((moment) => moment <= wall_ms).at(-1) ?? midnight;
  return { start, end: moments.find((moment) => moment > wall_ms) ?? midnight + DAY };
}
