import { alarmColours, fonts, type Mode, palettes, PRIORITIES, qrColours, seriesColours, stateColours } from "./tokens.ts";

const kebab = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

function declarations(mode: Mode): string {
  const lines = Object.entries(palettes[mode]).map(([name, value]) => `--ms-${kebab(name)}: ${value};`);
  for (const priority of PRIORITIES) {
    const { fill, ink } = alarmColours[mode][priority];
    lines.push(`--ms-alarm-${priority}: ${fill};`, `--ms-alarm-${priority}-ink: ${ink};`);
  }
  for (const [state, colour] of Object.entries(stateColours)) {
    lines.push(`--ms-state-${state}: ${colour.timeline[mode]};`, `--ms-picture-${state}: ${colour.picture[mode]};`);
  }
  seriesColours[mode].forEach((colour, index) => lines.push(`--ms-series-${index + 1}: ${colour};`));
  return lines.join("\n  ");
}

/** All tokens as CSS variables, for the mode named by `data-theme` on the root element. */
export function variables(): string {
  return `:root {
  --ms-font: ${fonts.text};
  --ms-font-code: ${fonts.code};
  --ms-qr-dark: ${qrColours.dark};
  --ms-qr-light: ${qrColours.light};
  ${declarations("light")}
}
:root[data-theme="dark"] {
  ${declarations("dark")}
}
`;
}
