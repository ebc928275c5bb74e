/** Colour measures: WCAG contrast, OKLab distance, colour-blind vision after Machado, Oliveira and Fernandes (2009). */

type Triple = readonly [number, number, number];

function linear(hex: string): Triple {
  const channel = (start: number) => {
    const value = Number.parseInt(hex.slice(start, start + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return [channel(1), channel(3), channel(5)];
}

export function contrast(one: string, other: string): number {
  const luminance = (hex: string) => {
    const [red, green, blue] = linear(hex);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

function times(matrix: readonly Triple[], [a, b, c]: Triple): Triple {
  return matrix.map(([x, y, z]) => x * a + y * b + z * c) as unknown as Triple;
}

// OKLab: linear sRGB to cone responses, their cube roots to lightness and two opponent axes (Ottosson, 2020).
const CONES: readonly Triple[] = [
  [0.4122214708, 0.5363325363, 0.0514459929],
  [0.2119034982, 0.6806995451, 0.1073969566],
  [0.0883024619, 0.2817188376, 0.6299787005],
];
const OPPONENTS: readonly Triple[] = [
  [0.2104542553, 0.793617785, -0.0040720468],
  [1.9779984951, -2.428592205, 0.4505937099],
  [0.0259040371, 0.7827717662, -0.808675766],
];
// Severity 1.0 of Machado's simulation, on linear sRGB.
const PROTAN: readonly Triple[] = [
  [0.152286, 1.052583, -0.204868],
  [0.114503, 0.786281, 0.099216],
  [-0.003882, -0.048116, 1.051998],
];
const DEUTAN: readonly Triple[] = [
  [0.367322, 0.860646, -0.227968],
  [0.280085, 0.672501, 0.047413],
  [-0.01182, 0.04294, 0.968881],
];

function oklab(rgb: Triple): Triple {
  return times(OPPONENTS, times(CONES, rgb).map(Math.cbrt) as unknown as Triple);
}

const clipped = (rgb: Triple) => rgb.map((value) => Math.max(0, Math.min(1, value))) as unknown as Triple;

/** A colour in OKLab as most eyes see it. */
export const seen = (hex: string): Triple => oklab(linear(hex));
export const protan = (hex: string): Triple => oklab(clipped(times(PROTAN, linear(hex))));
export const deutan = (hex: string): Triple => oklab(clipped(times(DEUTAN, linear(hex))));

/** Distance of two OKLab colours, times 100. */
export function distance(one: readonly number[], other: readonly number[]): number {
  return 100 * Math.hypot(...one.map((value, index) => value - (other[index] ?? 0)));
}
