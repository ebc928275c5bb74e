import { describe, expect, it } from "vitest";
import { addressText, applies, differences, fieldsOf, type ObjectSchema, settingsOf, withDefaults } from "./schema";
import type { Settings } from "./types";

const schema: ObjectSchema = {
  properties: {
    host: { type: "string", title: "Address", title_zh: "地址", minLength: 1 },
    port: { type: "integer", default: 502, minimum: 1, exclusiveMaximum: 65536, title: "Port" },
    security_policy: { type: "string", enum: ["none", "Basic256Sha256"], default: "Basic256Sha256" },
    security_mode: { type: "string", enum: ["sign"], default: "sign" },
    password: { type: "string", secret: true, default: "" },
    clear: { type: "boolean", default: false },
    key_file: { anyOf: [{ type: "string", format: "path" }, { type: "null" }], default: null },
    trusted: { type: "array", default: [], maxItems: 2 },
    timeout_ms: { type: "integer", unit: "ms", default: 2000, minimum: 20, maximum: 60_000 },
    depth: { type: "integer", default: 8 },
  },
  required: ["host"],
};
const fields = fieldsOf(schema);
const field = (key: string) => fields.find((each) => each.key === key)!;

describe("fieldsOf", () => {
  it("shows who and where, folds limits, files and lists away", () => {
    expect(fields.filter(({ advanced }) => !advanced).map(({ key }) => key)).toEqual(["host", "port", "security_policy", "security_mode", "password"]);
  });

  it("reads kinds, bounds and words", () => {
    expect(fields.map(({ kind }) => kind)).toEqual(["text", "whole", "choice", "choice", "secret", "yes-no", "text", "list", "whole", "whole"]);
    expect(field("port")).toMatchObject({ min: 1, max: 65_535, title: { en: "Port", zh: "Port" } });
    expect(field("host")).toMatchObject({ required: true, title: { en: "Address", zh: "地址" } });
    expect(field("key_file").nullable).toBe(true);
    expect(field("trusted").maxItems).toBe(2);
  });

  it("hides what means nothing beside another choice", () => {
    expect(applies(field("security_mode"), fields, {})).toBe(true);
    expect(applies(field("security_mode"), fields, { security_policy: "none" })).toBe(false);
  });

  it("hides how to reach a broker while none is named, and shows which topics are read", () => {
    const mqtt = fieldsOf({
      properties: {
        host: { type: "string", default: "" }, port: { type: "integer", default: 1883 }, user: { type: "string", default: "" },
        keep_alive_s: { type: "integer", unit: "s", default: 30 }, topics: { type: "array", default: ["#"] },
      },
    });
    const seen = (settings: Settings) => mqtt.filter((each) => applies(each, mqtt, settings)).map(({ key }) => key);
    expect(seen({ host: "" })).toEqual(["host", "topics"]);
    expect(seen({ host: "broker" })).toEqual(["host", "port", "user", "keep_alive_s", "topics"]);
    expect(mqtt.find(({ key }) => key === "topics")?.advanced).toBe(false);
  });
});

describe("settings", () => {
  it("begin with defaults and are sent without them", () => {
    const begun = withDefaults(fields, { host: "10.0.0.1", port: 503 });
    expect(begun).toMatchObject({ host: "10.0.0.1", port: 503, timeout_ms: 2000 });
    expect(settingsOf(fields, begun)).toEqual({ host: "10.0.0.1", port: 503, password: "" });
  });

  it("say a missing required setting, so that the server names it", () => {
    expect(settingsOf(fields, {})).toEqual({ host: "" });
  });

  it("differ where a value changed, not where an empty one stayed empty", () => {
    const changed = differences(fields, { host: "a", key_file: null, password: "" }, { host: "b", key_file: "", password: "", trusted: [] });
    expect(changed.map((each) => [each.field.key, each.before, each.after])).toEqual([["host", "a", "b"]]);
    expect(differences(fields, { host: "a" }, { host: "a", password: "new" })).toHaveLength(1);
  });
});

describe("addressText", () => {
  it("is one line", () => {
    expect(addressText({ host: "10.0.0.1", port: 502, unit: 4 })).toBe("10.0.0.1:502 · 4");
    expect(addressText({ url: "opc.tcp://plc:4840" })).toBe("opc.tcp://plc:4840");
    expect(addressText({ host: "", port: 1883, topics: ["hall/#", "pump"] })).toBe("hall/#, pump");
    expect(addressText({ port: 1883 })).toBe("");
  });
});
