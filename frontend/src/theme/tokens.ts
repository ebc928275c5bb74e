/** Every colour and size of the page. CSS variables, antd, uPlot and SVG signs are made from these. */

export type Mode = "light" | "dark";
export const PRIORITIES = ["critical", "high", "medium", "low", "diagnostic"] as const;
export type Priority = (typeof PRIORITIES)[number];
export const EQUIPMENT_STATES = ["running", "idle", "stopped", "fault", "maintenance", "off"] as const;
export type EquipmentState = (typeof EQUIPMENT_STATES)[number];

/** What phones read, in either theme. */
export const qrColours = { dark: "#000000", light: "#FFFFFF" } as const;

export interface Palette {
  layout: string;
  container: string;
  elevated: string;
  head: string;
  canvas: string;
  text: string;
  second: string;
  third: string;
  disabled: string;
  controlBorder: string;
  border: string;
  divider: string;
  accent: string;
  accentHover: string;
  inkOnAccent: string;
  selection: string;
  tooltip: string;
  inkOnTooltip: string;
  danger: string;
  caution: string;
  done: string;
  mask: string;
  shadow: string;
}

export const palettes: Record<Mode, Palette> = {
  light: {
    layout: "#E9ECEF",
    container: "#F8F9FA",
    elevated: "#FFFFFF",
    head: "#EEF0F2",
    canvas: "#DCDFE3",
    text: "#1A1E23",
    second: "#454D57",
    third: "#59626D",
    disabled: "#8A929C",
    controlBorder: "#767F89",
    border: "#C2C8CE",
    divider: "#DADEE2",
    accent: "#1B5FAA",
    accentHover: "#164E8C",
    inkOnAccent: "#FFFFFF",
    selection: "#DCE9F7",
    tooltip: "#2A2E33",
    inkOnTooltip: "#F8F9FA",
    danger: "#9E2F24",
    caution: "#8A4B00",
    done: "#2F6B4A",
    mask: "rgba(26, 30, 35, 0.45)",
    shadow: "0 4px 16px rgba(26, 30, 35, 0.20)",
  },
  dark: {
    layout: "#15181C",
    container: "#1D2126",
    elevated: "#262B31",
    head: "#22272D",
    canvas: "#20242A",
    text: "#E3E6E9",
    second: "#B4BBC3",
    third: "#929BA5",
    disabled: "#69727C",
    controlBorder: "#737C87",
    border: "#3B424A",
    divider: "#2E343B",
    accent: "#6FB0F2",
    accentHover: "#93C5F7",
    inkOnAccent: "#10151A",
    selection: "#1F3247",
    tooltip: "#C9D1D9",
    inkOnTooltip: "#15181C",
    danger: "#F2998F",
    caution: "#E8B06A",
    done: "#8CC3A1",
    mask: "rgba(0, 0, 0, 0.55)",
    shadow: "0 4px 16px rgba(0, 0, 0, 0.55)",
  },
};

export interface AlarmColour {
  fill: string;
  ink: string;
}

export const alarmColours: Record<Mode, Record<Priority, AlarmColour>> = {
  light: {
    critical: { fill: "#C4122F", ink: "#FFFFFF" },
    high: { fill: "#D96400", ink: "#1A1E23" },
    medium: { fill: "#EDBE00", ink: "#1A1E23" },
    low: { fill: "#B23A92", ink: "#FFFFFF" },
    diagnostic: { fill: "#0A4650", ink: "#FFFFFF" },
  },
  dark: {
    critical: { fill: "#FF5C61", ink: "#14171A" },
    high: { fill: "#FF9A3D", ink: "#14171A" },
    medium: { fill: "#FFD84A", ink: "#14171A" },
    low: { fill: "#D07CBE", ink: "#14171A" },
    diagnostic: { fill: "#9FE8EC", ink: "#14171A" },
  },
};

/** The character inside a sign: a digit, because H and L name limits. */
export const alarmSigns: Record<Priority, string> = {
  critical: "1",
  high: "2",
  medium: "3",
  low: "4",
  diagnostic: "D",
};

export interface StateColour {
  sign: string;
  picture: Record<Mode, string>;
  timeline: Record<Mode, string>;
}

export const stateColours: Record<EquipmentState, StateColour> = {
  running: {
    sign: "R",
    picture: { light: "#FFFFFF", dark: "#C9D1D9" },
    timeline: { light: "#6E93B5", dark: "#7FA3C2" },
  },
  idle: { sign: "I", picture: { light: "#B9C0C8", dark: "#6B7580" }, timeline: { light: "#C3CFDA", dark: "#47535E" } },
  stopped: {
    sign: "S",
    picture: { light: "#5C6570", dark: "#3A424B" },
    timeline: { light: "#454D57", dark: "#C9D1D9" },
  },
  fault: {
    sign: "F",
    picture: { light: "transparent", dark: "transparent" },
    timeline: { light: "#C4122F", dark: "#FF5C61" },
  },
  maintenance: {
    sign: "M",
    picture: { light: "transparent", dark: "transparent" },
    timeline: { light: "#6F5A96", dark: "#7566A0" },
  },
  off: {
    sign: "O",
    picture: { light: "transparent", dark: "transparent" },
    timeline: { light: "transparent", dark: "transparent" },
  },
};

/** Lines of a chart: the same index is the same family in both modes. The ninth and later repeat dashed. */
export const seriesColours: Record<Mode, readonly string[]> = {
  light: ["#1C3390", "#D550B6", "#7F8A00", "#25806B", "#802DC6", "#743D00", "#17556A", "#2A2E33"],
  dark: ["#4076F5", "#E496B5", "#81A83F", "#4F806F", "#9D7BBB", "#F7BE83", "#55BCFA", "#CED9E5"],
};

export const divergingColours = ["#743D00", "#C2C8CE", "#17556A"] as const;

export const fonts = {
  text: '-apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, "PingFang SC", "Microsoft YaHei", "Noto Sans SC", "Noto Sans CJK SC", sans-serif',
  code: '"SFMono-Regular", Consolas, "Liberation Mono", monospace',
} as const;

/** Size and line height in px. */
export const type = {
  caption: [12, 20],
  table: [13, 20],
  body: [14, 22],
  section: [16, 24],
  title: [20, 28],
  figure: [28, 36],
} as const;

export const space = [4, 8, 12, 16, 24, 32] as const;
export const radius = { control: 4, tag: 2, table: 0 } as const;
export const rows = { compact: 28, comfortable: 36, touch: 48 } as const;
/** Widths in px where the layout changes. */
export const breakpoints = { phone: 576, tablet: 992, wide: 1600 } as const;
