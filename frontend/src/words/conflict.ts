import type { Messages } from "./format";

export const conflictWords = {
  conflictField: { en: "{field} is now: {value}", zh: "{field} 现为：{value}" },
  whose: { en: "Whose {field} holds", zh: "以何者的“{field}”为准" },
  mine: { en: "Mine: {value}", zh: "我的：{value}" },
  theirs: { en: "Theirs: {value}", zh: "对方：{value}" },
  before: { en: "was {value}", zh: "原为 {value}" },
} as const satisfies Messages;
