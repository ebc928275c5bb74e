import { describe, expect, it } from "vitest";
import type { Alarm, AlarmState } from "../types";
import { signStates } from "./OverviewPage";

const alarm = (path: string, state: AlarmState, priority: Alarm["priority"] = "high") => ({ path, state, priority }) as Alarm;

describe("the sign of an area", () => {
  it("is what calls most: hollow when all are acknowledged or cleared", () => {
    const alarms = [
      alarm("firm/a/T1", "cleared-unacknowledged"),
      alarm("firm/a/T2", "active-acknowledged"),
      alarm("firm/ab/T3", "active-unacknowledged"),
      alarm("firm/a/T4", "cleared-unacknowledged", "low"),
    ];
    expect(signStates(alarms, "firm/a")).toEqual({ high: "active-acknowledged", low: "cleared-unacknowledged" });
    expect(signStates(alarms, "firm/ab")).toEqual({ high: "active-unacknowledged" });
    expect(signStates(alarms, "firm/b")).toEqual({});
  });
});
