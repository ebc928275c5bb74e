/**
 * Time ranges as people type them, in both languages.
 *
 * A range slides (`8h`), grows (`since 06:00`, `today`), is named (`yesterday`) or is fixed. Its parameter in the URL
 * is canonical and can itself be typed.
 */
import { shiftAt } from "../format/shifts";
import { DAY, HOUR, MINUTE, SECOND, type Zone, fromWall, toWall } from "./zone";

export type Named =
  | "today"
  | "this-week"
  | "this-month"
  | "this-year"
  | "shift"
  | "yesterday"
  | "day-before-yesterday"
  | "last-week"
  | "last-month"
  | "last-shift";

export type Range =
  | { kind: "sliding"; span_ms: number }
  | { kind: "since"; day: 0 | -1 | -2; minute: number }
  | { kind: "growing"; start_ms: number }
  | { kind: "named"; name: Named }
  | { kind: "fixed"; start_ms: number; end_ms: number };

export interface Span {
  start_ms: number;
  end_ms: number;
  /** The end is now: new values belong to the range. */
  live: boolean;
}

export const SPAN_MIN_MS = 10;
export const SPAN_MAX_MS = 50 * 366 * DAY;

const NAMED: Record<string, Named> = {
  today: "today",
  今天: "today",
  今日: "today",
  "this week": "this-week",
  本周: "this-week",
  这周: "this-week",
  "this month": "this-month",
  本月: "this-month",
  这个月: "this-month",
  "this year": "this-year",
  今年: "this-year",
  本年: "this-year",
  shift: "shift",
  "this shift": "shift",
  班次: "shift",
  本班: "shift",
  当班: "shift",
  本班次: "shift",
  yesterday: "yesterday",
  昨天: "yesterday",
  昨日: "yesterday",
  "day before yesterday": "day-before-yesterday",
  前天: "day-before-yesterday",
  "last week": "last-week",
  上周: "last-week",
  "last month": "last-month",
  上月: "last-month",
  上个月: "last-month",
  "last shift": "last-shift",
  "previous shift": "last-shift",
  上班: "last-shift",
  上一班: "last-shift",
  上个班次: "last-shift",
};

const DAY_WORDS: Record<string, 0 | -1 | -2> = {
  today: 0,
  今天: 0,
  今日: 0,
  yesterday: -1,
  昨天: -1,
  昨日: -1,
  前天: -2,
  "day before yesterday": -2,
};

const UNITS: [RegExp, number][] = [
  [/^(ms|毫秒)$/, 1],
  [/^(s|secs?|seconds?|秒|秒钟)$/, SECOND],
  [/^(m|mins?|minutes?|分|分钟)$/, MINUTE],
  [/^(h|hrs?|hours?|时|小时|个小时)$/, HOUR],
  [/^(d|days?|天|日)$/, DAY],
  [/^(w|wks?|weeks?|周|星期|个星期)$/, 7 * DAY],
  [/^(mo|mos|months?|月|个月)$/, 30 * DAY],
  [/^(y|yrs?|years?|年)$/, 365 * DAY],
];

/** Bring full-width forms, dashes and spaces of both languages to one form. */
export function normalise(text: string): string {
  return text
    .normalize("NFKC")
    .toLowerCase()
    .replace(/[‐-―−~〜]|\.\.+/g, "-")
    .replace(/(至今|到现在)$/, " since")
    .replace(/(?<=[\d日天点分])\s*[至到]\s*(?=[\d今昨前])/g, " - ")
    .replace(/\s+/g, " ")
    .trim();
}

function spanOf(text: string): number | null {
  const bare = text.replace(/^(last|past|最近|过去|近) ?/, "").replace(/^半(个)?小时$/, "30min");
  const rest = bare.replace(/^(hour|day|week|month|year|minute)$/, "1 $1");
  const piece = /(\d+(?:\.\d+)?) ?([a-z]+|[\u4e00-\u9fff]+?(?=\d|$)) ?/y;
  let total = 0;
  while (piece.lastIndex < rest.length) {
    const found = piece.exec(rest);
    if (!found) return null;
    const unit = UNITS.find(([name]) => name.test(found[2] ?? ""));
    if (!unit) return null;
    total += Number(found[1]) * unit[1];
  }
  return total >= SPAN_MIN_MS && total <= SPAN_MAX_MS ? Math.round(total) : null;
}

interface Instant {
  /** Midnight of the wall clock; null when only a clock was written. */
  day: number | null;
  /** Milliseconds since midnight; null when only a day was written. */
  clock: number | null;
}

const DATE = /^(?:(\d{4})[-/.年] ?)?(\d{1,2})[-/.月] ?(\d{1,2})[日号]?(?=$| |t|\d{1,2}[:点])/;
const CLOCK = /^t?(\d{1,2})(?::(\d{2})(?::(\d{2})(?:\.(\d{1,3}))?)?|点(?:(\d{1,2})分?|半)?)$/;

function clockOf(text: string): number | null {
  const found = CLOCK.exec(text);
  if (!found) return null;
  const hour = Number(found[1]);
  const minute = text.endsWith("半") ? 30 : Number(found[2] ?? found[5] ?? 0);
  const second = Number(found[3] ?? 0);
  if (hour > 24 || minute > 59 || second > 59 || (hour === 24 && minute + second > 0)) return null;
  return hour * HOUR + minute * MINUTE + second * SECOND + Number((found[4] ?? "0").padEnd(3, "0"));
}

function dayOf(year: number, month: number, day: number): number | null {
  const wall = Date.UTC(year, month - 1, day);
  return new Date(wall).getUTCMonth() === month - 1 && new Date(wall).getUTCDate() === day ? wall : null;
}

function midnight(wall_ms: number): number {
  return Math.floor(wall_ms / DAY) * DAY;
}

function instantOf(text: string, today: number): Instant | null {
  let rest = text.trim();
  let day: number | null = null;
  for (const [word, shift] of Object.entries(DAY_WORDS)) {
    if (rest === word || rest.startsWith(`${word} `) || (/[\u4e00-\u9fff]$/.test(word) && rest.startsWith(word))) {
      day = today + shift * DAY;
      rest = rest.slice(word.length).trim();
      break;
    }
  }
  const found = day === null ? DATE.exec(rest) : null;
  if (found) {
    const [month, date] = [Number(found[2]), Number(found[3])];
    const year = found[1] ? Number(found[1]) : new Date(today).getUTCFullYear();
    day = dayOf(year, month, date);
    // A day without a year is the latest that has come.
    if (day !== null && !found[1] && day > today) day = dayOf(year - 1, month, date);
    if (day === null) return null;
    rest = rest.slice(found[0].length).trim();
  }
  if (rest === "") return day === null ? null : { day, clock: null };
  const clock = clockOf(rest);
  return clock === null ? null : { day, clock };
}

function sinceOf(text: string, now_ms: number, zone: Zone): Range | null {
  const found = /^(?:since|from|自从?|从|由) ?-?(.+?)(?: ?(?:since|起|以来|开始))?$/.exec(text) ?? /^(.+?) ?(?:since|起|以来)$/.exec(text);
  if (!found) return null;
  const body = (found[1] ?? "").trim();
  if (/^\d{12,14}$/.test(body)) return { kind: "growing", start_ms: Number(body) };
  const worded = body.replace(/^(yesterday|today)-/, "$1 ");
  const instant = instantOf(worded, midnight(toWall(now_ms, zone)));
  if (!instant) return null;
  const word = Object.keys(DAY_WORDS).find((name) => worded.startsWith(name));
  if (instant.day === null || word !== undefined) {
    const day = word === undefined ? 0 : (DAY_WORDS[word] ?? 0);
    return { kind: "since", day, minute: Math.floor((instant.clock ?? 0) / MINUTE) };
  }
  const start_ms = fromWall(instant.day + (instant.clock ?? 0), zone);
  return start_ms < now_ms ? { kind: "growing", start_ms } : null;
}

function fixed(start_ms: number, end_ms: number): Range | null {
  const span = end_ms - start_ms;
  return span >= SPAN_MIN_MS && span <= SPAN_MAX_MS ? { kind: "fixed", start_ms, end_ms } : null;
}

function betweenOf(text: string, now_ms: number, zone: Zone): Range | null {
  const today = midnight(toWall(now_ms, zone));
  const single = instantOf(text, today);
  if (single) {
    return single.clock === null && single.day !== null
      ? fixed(fromWall(single.day, zone), fromWall(single.day + DAY, zone))
      : null;
  }
  // A dash also stands inside dates, so every dash is tried as the one between both ends.
  for (let at = text.indexOf("-"); at > 0; at = text.indexOf("-", at + 1)) {
    const start = instantOf(text.slice(0, at), today);
    const end = instantOf(text.slice(at + 1), today);
    if (!start || !end || (start.day === null && start.clock === null)) continue;
    const day = start.day ?? today;
    const from = day + (start.clock ?? 0);
    let until = (end.day ?? day) + (end.clock ?? DAY);
    // "22:00 - 06:00" ends on the next morning.
    if (end.day === null && until <= from) until += DAY;
    const range = fixed(fromWall(from, zone), fromWall(until, zone));
    if (range) return range;
  }
  return null;
}

/** Read what a person typed or a link carries; null when it is not a range. */
export function parseRange(text: string, now_ms: number, zone: Zone): Range | null {
  const clean = normalise(text);
  const exact = /^(\d{12,14})-(\d{12,14})$/.exec(clean);
  if (exact) return fixed(Number(exact[1]), Number(exact[2]));
  const name = NAMED[clean] ?? NAMED[clean.replace(/-/g, " ")];
  if (name) return { kind: "named", name };
  const span_ms = spanOf(clean);
  if (span_ms !== null) return { kind: "sliding", span_ms };
  return sinceOf(clean, now_ms, zone) ?? betweenOf(clean, now_ms, zone);
}

const SPAN_UNITS: [string, string, string, number][] = [
  ["y", "y", "年", 365 * DAY],
  ["mo", "months", "个月", 30 * DAY],
  ["d", "d", "天", DAY],
  ["h", "h", "小时", HOUR],
  ["min", "min", "分钟", MINUTE],
  ["s", "s", "秒", SECOND],
  ["ms", "ms", "毫秒", 1],
];

function unitOf(span_ms: number): [string, string, string, number] {
  // One month stays "30 d": that is what it is.
  const fits = ([param, , , size]: [string, string, string, number]) => span_ms % size === 0 && (param !== "mo" || span_ms > size);
  return SPAN_UNITS.find(fits) ?? ["ms", "ms", "毫秒", 1];
}

const clockParam = (minute: number): string =>
  `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;

/** The canonical form for the URL. */
export function rangeParam(range: Range): string {
  switch (range.kind) {
    case "sliding": {
      const [param, , , size] = unitOf(range.span_ms);
      return `${range.span_ms / size}${param}`;
    }
    case "since":
      return `since-${["", "yesterday-", "前天"][-range.day] ?? ""}${clockParam(range.minute)}`;
    case "growing":
      return `since-${range.start_ms}`;
    case "named":
      return range.name;
    case "fixed":
      return `${range.start_ms}-${range.end_ms}`;
  }
}

/** A length of time in words: `40 s`, `2 min`, `1.5 h`; exact where it can be, else two digits. */
export function spanWords(span_ms: number, language: "en" | "zh"): string {
  const unit =
    SPAN_UNITS.slice(2).find(([, , , size]) => span_ms >= size && (span_ms % size === 0 || span_ms >= 2 * size)) ??
    (["ms", "ms", "毫秒", 1] as const);
  const count = span_ms / unit[3];
  const digits = Number.isInteger(count) || count >= 10 ? Math.round(count).toString() : String(Number(count.toFixed(1)));
  return language === "zh" ? digits + unit[2] : `${digits} ${unit[1]}`;
}

/** A sliding range in words: `8 h`, `7 d`, `6 months`. */
export function slidingWords(span_ms: number, language: "en" | "zh"): string {
  const [, en, zh, size] = unitOf(span_ms);
  return language === "zh" ? span_ms / size + zh : `${span_ms / size} ${en}`;
}

function namedSpan(name: Named, now_ms: number, zone: Zone): [start: number, end: number | null] {
  const wall = toWall(now_ms, zone);
  const today = midnight(wall);
  const date = new Date(today);
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
  const monday = today - ((date.getUTCDay() + 6) % 7) * DAY;
  const shift = shiftAt(wall, zone.shifts).start;
  switch (name) {
    case "today":
      return [today, null];
    case "this-week":
      return [monday, null];
    case "this-month":
      return [Date.UTC(year, month, 1), null];
    case "this-year":
      return [Date.UTC(year, 0, 1), null];
    case "shift":
      return [shift, null];
    case "yesterday":
      return [today - DAY, today];
    case "day-before-yesterday":
      return [today - 2 * DAY, today - DAY];
    case "last-week":
      return [monday - 7 * DAY, monday];
    case "last-month":
      return [Date.UTC(year, month - 1, 1), Date.UTC(year, month, 1)];
    case "last-shift":
      return [shiftAt(shift - 1, zone.shifts).start, shift];
  }
}

/** Both ends of a range at this moment. */
export function resolve(range: Range, now_ms: number, zone: Zone): Span {
  switch (range.kind) {
    case "sliding":
      return { start_ms: now_ms - range.span_ms, end_ms: now_ms, live: true };
    case "growing":
      return { start_ms: Math.min(range.start_ms, now_ms - SECOND), end_ms: now_ms, live: true };
    case "since": {
      const wall = midnight(toWall(now_ms, zone)) + range.day * DAY + range.minute * MINUTE;
      // At 05:00 "since 06:00" means yesterday's six o'clock.
      const start = fromWall(wall, zone);
      return { start_ms: start < now_ms ? start : fromWall(wall - DAY, zone), end_ms: now_ms, live: true };
    }
    case "named": {
      const [start, end] = namedSpan(range.name, now_ms, zone);
      const start_ms = fromWall(start, zone);
      return end === null
        ? { start_ms: Math.min(start_ms, now_ms - SECOND), end_ms: now_ms, live: true }
        : { start_ms, end_ms: fromWall(end, zone), live: false };
    }
    case "fixed":
      return { start_ms: range.start_ms, end_ms: range.end_ms, live: false };
  }
}

export type Zoom = { start_ms: number; end_ms: number };

/** Zoom around an instant (factor < 1 is closer), held between the shortest span and what is kept. */
export function zoomed(span: Zoom, factor: number, around_ms: number, oldest_ms: number | null, now_ms: number): Zoom {
  const share = (around_ms - span.start_ms) / (span.end_ms - span.start_ms);
  const whole = oldest_ms === null ? SPAN_MAX_MS : Math.max(now_ms - oldest_ms, SPAN_MIN_MS);
  const length = Math.min(Math.max((span.end_ms - span.start_ms) * factor, SPAN_MIN_MS), whole);
  const start_ms = Math.round(around_ms - share * length);
  return held({ start_ms, end_ms: Math.round(start_ms + length) }, oldest_ms, now_ms);
}

/** Move by a share of the span, within what is kept. */
export function panned(span: Zoom, share: number, oldest_ms: number | null, now_ms: number): Zoom {
  const shift = Math.round((span.end_ms - span.start_ms) * share);
  return held({ start_ms: span.start_ms + shift, end_ms: span.end_ms + shift }, oldest_ms, now_ms);
}

function held(span: Zoom, oldest_ms: number | null, now_ms: number): Zoom {
  const length = span.end_ms - span.start_ms;
  if (span.end_ms > now_ms) return { start_ms: now_ms - length, end_ms: now_ms };
  if (oldest_ms !== null && span.start_ms < oldest_ms && oldest_ms + length <= now_ms)
    return { start_ms: oldest_ms, end_ms: oldest_ms + length };
  return span;
}
