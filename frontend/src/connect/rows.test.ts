import { describe, expect, it } from "vitest";
import { columnsFor, emptyRow, faultOfRule, faultsOf, filledDown, headerOf, itemOf, parsePaste, paste, placed, rowOfNode, rowOfTag, ROWS_MAX, withCell } from "./rows";
import type { Driver } from "./types";

const driver: Driver = {
  name: "modbus-tcp",
  title: { en: "Modbus TCP", zh: "Modbus TCP" },
  config_schema: {},
  address_schema: {
    properties: {
      table: { type: "string", enum: ["coil", "holding", "input"], default: "holding", title: "Table", title_zh: "数据区" },
      register: { type: "integer", minimum: 0, exclusiveMaximum: 65_536, default: 0, title: "Register, from 0", title_zh: "寄存器地址，从 0 起" },
      type: { type: "string", enum: ["bit", "uint16", "float32", "string"], default: "uint16", title: "Type", title_zh: "数据类型" },
      length: { type: "integer", default: 1, title: "Registers of a string" },
    },
  },
  subscribes: false,
  browses: false,
  writes: true,
};
const columns = columnsFor(driver);
const shown = columns.filter(({ main }) => main);

describe("parsePaste", () => {
  it("splits cells at tabs and rows at line ends, without empty rows", () => {
    expect(parsePaste("a\tb\nc\td\n\n")).toEqual([["a", "b"], ["c", "d"]]);
  });

  it("keeps tabs, line ends and doubled quotes inside quoted cells", () => {
    expect(parsePaste('"a\tb"\t"say ""hi""\nthere"\nx\ty')).toEqual([["a\tb", 'say "hi"\nthere'], ["x", "y"]]);
  });
});

describe("headerOf", () => {
  it("knows columns by key and by title in both languages, and leaves unknown ones out", () => {
    expect(headerOf(["位号", "Register", "note", "scan ms"], columns)?.map((column) => column?.key)).toEqual(["name", "address.register", undefined, "scan_ms"]);
  });

  it("knows what people call a main column for short, before a column of that name that is not shown", () => {
    expect(headerOf(["位号", "寄存器", "类型"], columns)?.map((column) => column?.key)).toEqual(["name", "address.register", "address.type"]);
  });

  it("does not take a row of values for names", () => {
    expect(headerOf(["unit", "holding", "3", "uint16"], columns)).toBeNull();
  });
});

describe("paste", () => {
  it("lays named columns wherever the cursor stands and understands words for choices", () => {
    const { rows } = paste([emptyRow()], columns, shown, { row: 0, column: 3 }, "name\t数据区\tregister\nT1\t保持寄存器\t4\nT2\tInput register\t6");
    expect(rows.map(({ cells }) => cells)).toEqual([
      { name: "T1", "address.table": "holding", "address.register": "4" },
      { name: "T2", "address.table": "input", "address.register": "6" },
    ]);
  });

  it("tells the headings that no column has", () => {
    expect(paste([emptyRow()], columns, shown, { row: 0, column: 0 }, "name\tcolour\tregister\nT1\tred\t4").unknown).toEqual(["colour"]);
    expect(paste([emptyRow()], columns, shown, { row: 0, column: 0 }, "T1\tholding\t4").unknown).toEqual([]);
  });

  it("without names fills from the cell on, keeping other cells", () => {
    const first = withCell(emptyRow(), "name", "kept");
    const { rows } = paste([first], columns, shown, { row: 0, column: 2 }, "7\tfloat32\n9\tuint16");
    expect(rows[0]?.cells).toEqual({ name: "kept", "address.register": "7", "address.type": "float32" });
    expect(rows[1]?.cells).toEqual({ "address.register": "9", "address.type": "uint16" });
  });

  it("takes no more rows than an import holds and says how many it left", () => {
    const { rows, left } = paste([emptyRow()], columns, shown, { row: ROWS_MAX - 1, column: 0 }, "a\nb\nc");
    expect([rows.length, left]).toEqual([ROWS_MAX, 2]);
  });
});

describe("faultsOf", () => {
  const row = (cells: Record<string, string>) => ({ ...emptyRow(), cells });
  it("finds what is missing, unknown, no number, out of range and twice", () => {
    const rows = [
      row({ name: "a", "address.register": "65536", "address.type": "float99" }),
      row({ "address.register": "1.5", gain: "0x10" }),
      row({}),
      row({ name: "a" }),
    ];
    expect(faultsOf(rows, columns).map(({ rowKey, field }) => [rows.findIndex(({ key }) => key === rowKey), field])).toEqual([
      [0, "address.register"],
      [0, "address.type"],
      [1, "name"],
      [1, "address.register"],
      [1, "gain"],
      [3, "name"],
    ]);
  });

  it("accepts numbers as spreadsheets write them", () => {
    expect(faultsOf([row({ name: "a", gain: "-1.5e-3", offset: ".5", scan_ms: "500" })], columns)).toEqual([]);
  });
});

const naming = { rule: "{name}", base: "asset", create: false };

describe("itemOf", () => {
  it("sends numbers as numbers and leaves empty cells to the server", () => {
    const row = { ...emptyRow(), cells: { name: " T1 ", "address.register": "4", "address.table": "", gain: "0.1", unit: "bar", "limits.H": "80" } };
    const sent = { asset: "asset", name: "T1", unit: "bar", gain: 0.1, limits: { H: 80 }, connection: "connection", address: { register: 4 } };
    expect(itemOf(row, columns, naming, "connection")).toEqual(sent);
    expect(itemOf(row, columns, naming, null)).not.toHaveProperty("address");
  });

  it("shows whole registers without decimals, unless they are scaled", () => {
    const decimals = (cells: Record<string, string>) => itemOf({ ...emptyRow(), cells: { name: "n", "address.type": "uint16", ...cells } }, columns, naming, null).decimals;
    expect([decimals({}), decimals({ gain: "10" }), decimals({ gain: "0.1" }), decimals({ decimals: "2" }), decimals({ "address.type": "float32" })]).toEqual([0, 0, undefined, 2, undefined]);
  });

  it("knows that a coil is a yes or no", () => {
    expect(itemOf({ ...emptyRow(), cells: { name: "run", "address.table": "coil" } }, columns, naming, null).kind).toBe("boolean");
  });
});

describe("the name rule", () => {
  const rule = { rule: "{line}/{device}/{name}_PV", base: "site", create: true };
  const row = (cells: Record<string, string>) => ({ ...emptyRow(), cells });
  it("puts a row below the asset and names it", () => {
    const pump = row({ name: "T1", line: "Line 2", device: "Pump 3" });
    expect(placed(pump, rule)).toEqual({ asset: "site/Line 2/Pump 3", name: "T1_PV", missing: null });
    expect(itemOf(pump, columns, rule, null)).toMatchObject({ asset: "site/Line 2/Pump 3", name: "T1_PV", create_assets: true });
    expect(itemOf(pump, columns, rule, null)).not.toHaveProperty("line");
  });

  it("says which cell it misses, and takes the same name on another device", () => {
    const rows = [row({ name: "T", line: "1", device: "a" }), row({ name: "T", line: "1", device: "b" }), row({ name: "T", line: "1" }), row({ name: "T", line: "1", device: "a" })];
    expect(faultsOf(rows, columns, rule).map(({ rowKey, field }) => [rows.findIndex(({ key }) => key === rowKey), field])).toEqual([
      [2, "device"],
      [3, "name"],
    ]);
  });

  it("is itself checked", () => {
    expect(faultOfRule("{line}/{name}")).toBeNull();
    expect(faultOfRule("{hall}/{name}")?.en).toContain("{hall}");
    expect(faultOfRule("{name}/{line}")).not.toBeNull();
  });
});

describe("filling down", () => {
  it("takes a cell to every filled row below it", () => {
    const rows = ["a", "b", "c"].map((name) => ({ ...emptyRow(), cells: { name, unit: name } }));
    expect(filledDown([...rows, emptyRow()], 1, "unit").map(({ cells }) => cells.unit)).toEqual(["a", "b", "b", undefined]);
  });
});

describe("rowOfTag", () => {
  it("keeps address, limits and words of a template's tag", () => {
    const row = rowOfTag({ name: "St", kind: "enumeration", address: { register: 48 }, limits: { H: 7 }, words: { "1": { en: "off", zh: "关" } } });
    expect(row.cells).toMatchObject({ name: "St", kind: "enumeration", "address.register": "48", "limits.H": "7" });
    expect(itemOf(row, columns, naming, "c")).toMatchObject({ words: { "1": { en: "off", zh: "关" } }, limits: { H: 7 } });
  });
});

describe("rowOfNode", () => {
  it("takes name, address, kind and unit; a slash would be another place", () => {
    const node = { id: "n", name: "A/B", has_children: false, kind: "int64" as const, address: { register: 7 }, unit: "kPa", description: "", writable: true, value: "1" };
    expect(rowOfNode(node)).toMatchObject({ cells: { name: "A-B", kind: "int64", unit: "kPa", "address.register": "7" }, writable: true });
  });
});
