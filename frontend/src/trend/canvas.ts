/** Small pieces of drawing that several lanes share. */

/** Text cut to a width, with an ellipsis. */
export function cut(context: CanvasRenderingContext2D, text: string, room: number): string {
  if (context.measureText(text).width <= room) return text;
  let kept = text.length - 1;
  while (kept > 1 && context.measureText(`${text.slice(0, kept)}…`).width > room) kept -= 1;
  return `${text.slice(0, kept)}…`;
}

type DrawTile = (pen: CanvasRenderingContext2D, size: number) => void;
/** Patterns by how they are drawn and in which colour: a lane of states has a thousand spans and a handful of these. */
const made = new Map<DrawTile, Map<string, CanvasPattern>>();

/** A pattern of 6 px tiles, made by drawing one of them. */
export function tiled(context: CanvasRenderingContext2D, colour: string, draw: DrawTile): CanvasPattern | null {
  const key = `${colour} ${devicePixelRatio}`;
  const known = made.get(draw)?.get(key);
  if (known) return known;
  const tile = document.createElement("canvas");
  const size = Math.round(6 * devicePixelRatio);
  tile.width = size;
  tile.height = size;
  const pen = tile.getContext("2d");
  if (!pen) return null;
  pen.strokeStyle = colour;
  pen.fillStyle = colour;
  pen.lineWidth = devicePixelRatio;
  pen.beginPath();
  draw(pen, size);
  pen.stroke();
  const pattern = context.createPattern(tile, "repeat");
  if (pattern) made.set(draw, (made.get(draw) ?? new Map<string, CanvasPattern>()).set(key, pattern));
  return pattern;
}

export function hatched(pen: CanvasRenderingContext2D, size: number): void {
  for (const shift of [-size, 0, size]) {
    pen.moveTo(shift, size);
    pen.lineTo(shift + size, 0);
  }
}

/** Diagonal lines: nothing is known here. */
export function hatch(context: CanvasRenderingContext2D, colour: string): CanvasPattern | null {
  return tiled(context, colour, hatched);
}
