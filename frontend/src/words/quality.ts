import type { Words } from "../types";

/** The OPC quality byte in words: two top bits are the state, four more say why. */
const WORDS: Record<number, Words> = {
  0x00: { en: "bad", zh: "坏值" },
  0x04: { en: "bad: wrong address or type", zh: "坏值：地址或类型有误" },
  0x08: { en: "bad: not connected", zh: "坏值：未连接" },
  0x0c: { en: "bad: device failure", zh: "坏值：设备故障" },
  0x10: { en: "bad: sensor failure", zh: "坏值：传感器故障" },
  0x14: { en: "bad: last known value", zh: "坏值：最后已知值" },
  0x18: { en: "bad: no communication", zh: "坏值：通信中断" },
  0x1c: { en: "bad: out of service", zh: "坏值：停用" },
  0x20: { en: "bad: waiting for the first value", zh: "坏值：等待首个值" },
  0x40: { en: "uncertain", zh: "不确定" },
  0x44: { en: "uncertain: last usable value", zh: "不确定：最后可用值" },
  0x50: { en: "uncertain: sensor not accurate", zh: "不确定：传感器不准" },
  0x54: { en: "uncertain: outside its range", zh: "不确定：超出量程" },
  0x58: { en: "uncertain: fewer sources than usual", zh: "不确定：来源不足" },
  0xc0: { en: "good", zh: "良好" },
  0xd8: { en: "good: set by hand", zh: "良好：人工置数" },
};
const MASK = 0xc0;
const EXACT = 0xfc;

export type QualityState = "good" | "uncertain" | "bad";

export function qualityState(quality: number): QualityState {
  const top = quality & MASK;
  return top === MASK ? "good" : top === 0x40 ? "uncertain" : "bad";
}

export function qualityWords(quality: number): Words {
  return WORDS[quality & EXACT] ?? WORDS[quality & MASK] ?? (WORDS[0] as Words);
}
