/** Numbers as people read them: decimals from the tag, grouping from five digits, one text per language-independent value. */

const MINUS = "\u2212";
const SIGNIFICANT = 4;
const GROUP_FROM = 10_000;
const EXPONENT_BELOW = 1e-4;
const EXPONENT_FROM = 1e7;

function grouped(digits: string): string {
  const [whole = "", rest] = digits.split(".");
  const spaced = whole.length < String(GROUP_FROM).length ? whole : whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return rest === undefined ? spaced : `${spaced}.${rest}`;
}

function exponent(size: number): string {
  const [mantissa = "", power = ""] = size.toExponential(SIGNIFICANT - 1).split("e");
  return `${mantissa}e${power.replace("+", "").replace("-", MINUS)}`;
}

/** Write a number: with the given decimals, or with four significant digits. */
export function formatNumber(value: number, decimals: number | null = null): string {
  if (Number.isNaN(value)) return "NaN";
  const size = Math.abs(value);
  const sign = value < 0 ? MINUS : "";
  if (size === Infinity) return `${sign}∞`;
  if (size !== 0 && (size < EXPONENT_BELOW || size >= EXPONENT_FROM)) {
    const short = decimals !== null && size >= EXPONENT_FROM && size < 1e15;
    if (!short) return sign + exponent(size);
  }
  if (decimals !== null) {
    const text = size.toFixed(decimals);
    return (Number(text) === 0 ? "" : sign) + grouped(text);
  }
  if (size === 0) return "0";
  const whole = Math.floor(Math.log10(size)) + 1;
  return sign + grouped(size.toFixed(Math.max(0, Math.min(8, SIGNIFICANT - whole))));
}

/** Write a count: whole numbers, always grouped. */
export function formatCount(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

const BYTE_UNITS = ["B", "KB", "MB", "GB", "TB"] as const;

/** Write a size in bytes with three significant digits. */
export function formatBytes(bytes: number): string {
  let size = bytes;
  let unit = 0;
  while (size >= 1000 && unit < BYTE_UNITS.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? size : size.toPrecision(3)} ${BYTE_UNITS[unit]}`;
}

/** How many characters the widest value of a range takes: cells keep this width so that nothing shifts. */
export function widthOf(low: number | null, high: number | null, decimals: number | null): number {
  if (low === null || high === null) return 9;
  return Math.max(6, formatNumber(low, decimals).length, formatNumber(high, decimals).length);
}
