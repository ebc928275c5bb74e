import { expect, it } from "vitest";
import { fingerprint } from "./IssueDrawer";

it("takes a fingerprint as tools print it", () => {
  const plain = "ab12".repeat(16);
  const printed = `sha256 Fingerprint=${plain.toUpperCase().match(/../g)?.join(":")}\n`;
  expect([fingerprint(printed), fingerprint(` ${plain} `), fingerprint(undefined)]).toEqual([plain, plain, ""]);
});
