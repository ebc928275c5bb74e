import { expect, test } from "vitest";
import { bodyOf, concerns, type Subscription } from "./page-notices";

const subscription: Subscription = {
  id: "1", channel: "page", target: "", area: { id: "a", name: { en: "a", zh: "" }, path: "site/a" }, priorities: ["critical"],
  transitions: ["raised"], gather_s: 0, enabled: true, sent_ms: null, fault: null, version: 1,
};
const alarm = { priority: "critical", transition: "raised", path: "site/a/u/T1", state: "active-unacknowledged" } as const;

test("a notice is about its own area, priorities and changes alone", () => {
  expect(concerns(subscription, alarm)).toBe(true);
  expect(concerns({ ...subscription, area: null }, { ...alarm, path: "other/T1" })).toBe(true);
  expect(concerns(subscription, { ...alarm, path: "site/ab/T1" })).toBe(false);
  expect(concerns(subscription, { ...alarm, priority: "high" })).toBe(false);
  expect(concerns(subscription, { ...alarm, transition: "cleared" })).toBe(false);
  expect(concerns({ ...subscription, enabled: false }, alarm)).toBe(false);
  expect(concerns({ ...subscription, channel: "mail" }, alarm)).toBe(false);
  expect(concerns(subscription, { ...alarm, state: "suppressed" })).toBe(false);
  expect(concerns(subscription, { ...alarm, transition: "unsuppressed" })).toBe(true);
  expect(concerns(subscription, { ...alarm, transition: "unsuppressed", state: "normal" })).toBe(false);
});

test("a notice says that it comes from a recording", () => {
  const told = { value: 80.5, unit: "°C", path: "site/T1", replayed: false };
  expect(bodyOf(told, "录制数据回放")).toBe("80.5 °C\nsite/T1");
  expect(bodyOf({ ...told, replayed: true }, "录制数据回放")).toBe("80.5 °C\nsite/T1\n↻ 录制数据回放");
});
