import { expect, it } from "vitest";
import { namesOf } from "./names";

it("reads names from columns, rows and sentences", () => {
  expect(namesOf("TI-101\r\nPIC-101\r\n")).toEqual(["TI-101", "PIC-101"]);
  expect(namesOf('TI-101\t"FIC 203"\tTI-101')).toEqual(["TI-101", "FIC 203"]);
  expect(namesOf("反应釜温度、LIC-103；TI-7")).toEqual(["反应釜温度", "LIC-103", "TI-7"]);
  expect(namesOf("  ")).toEqual([]);
});
