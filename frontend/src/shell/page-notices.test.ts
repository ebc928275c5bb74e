import { expect, test } from "vitest";
import { concerns, type Subscription } from "./page-notices";

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
