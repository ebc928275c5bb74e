import { describe, expect, it } from "vitest";
import { contrast, distance, protan, deutan, seen } from "./colour";
import { alarmColours, type Mode, type Palette, palettes, PRIORITIES, seriesColours } from "./tokens";

const MODES: readonly Mode[] = ["light", "dark"];
const SURFACES: readonly (keyof Palette)[] = ["layout", "container", "elevated", "head"];
const TEXTS: readonly (keyof Palette)[] = ["text", "second", "third", "accent", "danger", "caution", "done"];
const EYES = { normal: seen, protan, deutan };

function nearest(colours: readonly string[], eye: (hex: string) => readonly number[]): number {
  let least = Infinity;
  for (const [index, one] of colours.entries()) {
    for (const other of colours.slice(index + 1)) least = Math.min(least, distance(eye(one), eye(other)));
  }
  return least;
}

describe.each(MODES)("tokens of the %s theme", (mode) => {
  const palette = palettes[mode];
  const on = (surface: keyof Palette) => palette[surface];

  it("keeps text at 4.5:1 and controls at 3:1 on layout, container and head", () => {
    for (const surface of ["layout", "container", "head"] as const) {
      for (const text of TEXTS) expect(contrast(palette[text], on(surface)), `${text} on ${surface}`).toBeGreaterThanOrEqual(4.5);
      expect(contrast(palette.controlBorder, on(surface)), `control on ${surface}`).toBeGreaterThanOrEqual(3);
    }
  });

  it("keeps ink readable on accent, tooltip and selection", () => {
    expect(contrast(palette.inkOnAccent, palette.accent)).toBeGreaterThanOrEqual(4.5);
    expect(contrast(palette.inkOnAccent, palette.accentHover)).toBeGreaterThanOrEqual(4.5);
    expect(contrast(palette.inkOnTooltip, palette.tooltip)).toBeGreaterThanOrEqual(4.5);
    expect(contrast(palette.text, palette.selection)).toBeGreaterThanOrEqual(4.5);
    expect(contrast(palette.text, palette.elevated)).toBeGreaterThanOrEqual(4.5);
    expect(contrast(palette.third, palette.elevated)).toBeGreaterThanOrEqual(4.5);
  });

  it("keeps the character of an alarm sign readable on its fill and the outline on every surface", () => {
    for (const priority of PRIORITIES) {
      const { fill, ink } = alarmColours[mode][priority];
      expect(contrast(ink, fill), priority).toBeGreaterThanOrEqual(4.5);
    }
    for (const surface of SURFACES) expect(contrast(palette.text, on(surface))).toBeGreaterThanOrEqual(3);
  });

  it.each(Object.entries(EYES))("tells alarms and series apart with %s vision", (_, eye) => {
    expect(nearest(PRIORITIES.map((priority) => alarmColours[mode][priority].fill), eye)).toBeGreaterThanOrEqual(7);
    expect(nearest(seriesColours[mode], eye)).toBeGreaterThanOrEqual(10);
  });

  it("draws series at 3:1 on the container", () => {
    for (const colour of seriesColours[mode]) expect(contrast(colour, palette.container), colour).toBeGreaterThanOrEqual(3);
  });
});
