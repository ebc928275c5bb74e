import { describe, expect, it } from "vitest";
import { signOf, spellingOf, type Unit, written } from "./units";

const units: Unit[] = [
  { code: "1", sign: "", also: ["-", "none"] },
  { code: "Cel", sign: "°C", also: ["degC", "摄氏度"] },
  { code: "m3/h", sign: "m³/h", also: [] },
  { code: "{rpm}", sign: "r/min", also: ["rpm"] },
  { code: "{count}", sign: "", also: [] },
];

describe("units", () => {
  it("are shown by their sign, however they were written", () => {
    expect(["Cel", "degC", "℃", "m3/h", "rpm", "1", "furlong"].map((written) => signOf(written, units))).toEqual(["°C", "°C", "°C", "m³/h", "r/min", "", "furlong"]);
  });
  it("are offered by their sign, or by their code where they have none", () => {
    expect(units.map((unit) => spellingOf(unit, units))).toEqual(["1", "°C", "m³/h", "r/min", "{count}"]);
    expect(["Cel", "{count}", "furlong"].map((code) => written(code, units))).toEqual(["°C", "{count}", "furlong"]);
  });
});
