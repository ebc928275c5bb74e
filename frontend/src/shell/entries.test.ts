import { expect, test } from "vitest";
import { rightsOf, type Session } from "../session";
import { ENTRIES, isOpen } from "./entries";

const VIEWER = ["view", "export"];
const session = (rights: string[], parts: { path: string; company: string; rights: string[] }[] = []) => rightsOf({ rights: ["sign-in", ...rights], parts }) as Session;
const open = (of: Session) => ENTRIES.filter((entry) => entry.open(of)).map(({ to }) => to);

test("a right holds everywhere, or in its part of the plant", () => {
  const of = session(VIEWER, [{ path: "site/a", company: "", rights: ["acknowledge", "command"] }]);
  expect([of.may("viewer"), of.may("operator"), of.maySomewhere("operator"), of.maySomewhere("engineer")]).toEqual([true, false, true, false]);
  expect(["site/a", "site/a/u/T1", "site/ab/u", "site"].map((path) => of.mayAt("operator", path))).toEqual([true, true, false, false]);
  expect(of.mayAt("viewer", "site/b")).toBe(true);
  const owned = session([], [{ path: "", company: "owner", rights: VIEWER }]);
  expect([owned.may("viewer"), owned.mayAt("viewer", "site/a")]).toEqual([false, true]);
});

test("the rail leads nobody to a refusal", () => {
  const plant = ["/", "/plant", "/alarms", "/trend", "/pictures"];
  expect(open(session([...VIEWER, "administer"]))).toEqual([...plant, "/apps", "/connect", "/admin"]);
  expect(open(session(VIEWER))).toEqual([...plant, "/apps", "/connect"]);
  expect(open(session([], [{ path: "site/a", company: "", rights: VIEWER }]))).toEqual([...plant, "/apps"]);
  expect(open(session([]))).toEqual(["/apps"]);
  expect(isOpen("/connect", session([]))).toBe(false);
  expect(isOpen("/account", session([]))).toBe(true);
});
