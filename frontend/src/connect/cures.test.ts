import { describe, expect, it } from "vitest";
import { curesOf, fingerprintIn } from "./cures";
import { brokenFirst, inOrder } from "./order";
import type { Connection, ConnectionState, Driver } from "./types";

const print = Array.from({ length: 32 }, (_, index) => (index + 160).toString(16).toUpperCase()).join(":");
const untrusted = `The server's certificate is not trusted: CN=plc, valid until 2030-01-01, SHA-256 fingerprint ${print}. Compare the fingerprint with the one shown on the server.`;
const opcua = {
  config_schema: {
    properties: { trusted_fingerprints: { type: "array" }, security_policy: { enum: ["none", "Basic256Sha256"] }, security_mode: { enum: ["sign", "sign-and-encrypt"] } },
  },
} as unknown as Driver;
const modbus = { config_schema: { properties: { unit: { type: "integer" } } } } as unknown as Driver;
const check = (en: string) => ({ name: { en: "", zh: "" }, ok: false, detail: { en, zh: "" }, elapsed_ms: 0 });

describe("cures", () => {
  it("reads the fingerprint of the server's certificate and adds it to those trusted", () => {
    expect(curesOf(check(untrusted), opcua, { trusted_fingerprints: ["old"] })).toEqual([
      { label: print, settings: { trusted_fingerprints: ["old", print] }, trust: true },
    ]);
  });

  it("never trusts what the sentence shows of our own certificate", () => {
    expect(fingerprintIn(`opc.tcp://plc does not trust our certificate. Add x, SHA-256 fingerprint ${print}, to the server.`)).toBeNull();
  });

  it("offers the security a server has, as the setting names it", () => {
    const cures = curesOf(check("plc has no endpoint with security X; it offers: None, Basic256Sha256 (sign), Unknown9. Choose one."), opcua, {});
    expect(cures.map(({ settings }) => settings)).toEqual([{ security_policy: "none" }, { security_policy: "Basic256Sha256", security_mode: "sign" }]);
  });

  it("offers the units that answer", () => {
    expect(curesOf(check("Units 1 and 2 do. Choose one, or check the address switch on the device."), modbus, {}).map(({ settings }) => settings)).toEqual([{ unit: 1 }, { unit: 2 }]);
    expect(curesOf(check("The port is open, but no unit answers."), modbus, {})).toEqual([]);
  });
});

describe("order of connections", () => {
  const connection = (name: string, state: ConnectionState, tags_bad = 0) => ({ id: name, name, health: { state, tags_bad } }) as unknown as Connection;
  const list = [connection("ok", "connected"), connection("off", "disabled"), connection("some bad", "connected", 2), connection("gone", "lost"), connection("no", "rejected")];

  it("puts the broken first and the disabled last", () => {
    expect(brokenFirst(list).map(({ name }) => name)).toEqual(["no", "gone", "some bad", "ok", "off"]);
  });

  it("keeps the order rows were shown in, new ones last", () => {
    expect(inOrder(list, ["off", "ok", "gone"]).map(({ name }) => name)).toEqual(["off", "ok", "gone", "no", "some bad"]);
  });
});
