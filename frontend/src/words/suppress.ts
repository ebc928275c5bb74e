import type { Messages } from "./format";

/** Suppression by design, and the shifts of a site. */
export const suppressWords = {
  suppressWhen: { en: "Suppressed while", zh: "抑制条件" },
  suppressBelow: { en: "All alarms here and below are suppressed while", zh: "此处及下级全部报警的抑制条件" },
  suppressHint: {
    en: 'A condition over tags, such as PUMP-1 == 0. While it holds nobody is told; a bad or stale tag suppresses nothing.',
    zh: "由测点组成的条件，例如 PUMP-1 == 0。成立期间不通知任何人；测点为坏值或过期时不抑制。",
  },
  byState: { en: "Or by the state of equipment", zh: "或按设备状态" },
  stateTag: { en: "Tag with states", zh: "状态测点" },
  inStates: { en: "In these states", zh: "处于以下状态" },
  insert: { en: "Insert", zh: "插入" },
  reasonEn: { en: "Why, in English", zh: "原因（英文）" },
  reasonZh: { en: "Why, in Chinese", zh: "原因（中文）" },
  reasonNeeded: { en: "Say why, for those who miss the alarms.", zh: "请写明原因，供值班人员查看。" },
  shifts: { en: "Shifts begin at", zh: "班次开始时间" },
  shiftsHint: { en: "On the plant's clock, such as 06:00 14:00 22:00; one a day at least, or none.", zh: "按厂区时间，例如 06:00 14:00 22:00；可不填。" },
  shiftOdd: { en: "{text} is no time of day such as 06:00.", zh: "{text} 不是 06:00 这样的时刻。" },
} as const satisfies Messages;
