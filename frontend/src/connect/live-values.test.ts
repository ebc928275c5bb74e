import { describe, expect, it } from "vitest";
import { shownValue } from "./LiveValues";
import { columnsFor, emptyRow } from "./rows";

const columns = columnsFor({ name: "modbus-tcp", title: { en: "", zh: "" }, config_schema: {}, address_schema: {}, subscribes: false, browses: false, writes: false });
const shown = (cells: Record<string, string>, value: number | string | null, language: "en" | "zh" = "en") => shownValue({ ...emptyRow(), cells }, columns, value, language);

describe("a value before it is stored", () => {
  it("reads as it will read once stored: yes and no, whole numbers, scaled ones", () => {
    expect([shown({ "address.table": "coil" }, 1), shown({ "address.table": "coil" }, 0, "zh")]).toEqual(["yes", "否"]);
    expect(shown({ "address.type": "uint16" }, 477)).toBe("477");
    expect(shown({ "address.type": "uint16", gain: "0.1" }, 477)).toBe("47.70");
    expect(shown({ "address.type": "uint16", gain: "0.1", decimals: "1" }, 477)).toBe("47.7");
    expect([shown({}, null), shown({ "address.type": "string" }, "v1.2")]).toEqual(["", "v1.2"]);
  });
  it("has the words a template gives its states", () => {
    const row = { ...emptyRow(), cells: { kind: "enumeration" }, words: { "2": { en: "running", zh: "运行" } } };
    expect(shownValue(row, columns, 2, "zh")).toBe("运行");
  });
});
