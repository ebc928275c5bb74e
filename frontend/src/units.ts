/** The units the server knows: codes, the signs people read, and other ways to write them. */
import { api } from "./api";
import { type Resource, useResource } from "./resource";
import type { Page } from "./types";

export interface Unit {
  code: string;
  sign: string;
  also: string[];
}

let asked: Promise<Page<Unit>> | null = null;

/** All units; they are the same as long as the page is open, so they are asked for once. */
export function useUnits(): Resource<Page<Unit>> {
  return useResource("units", () => {
    asked ??= api.get<Page<Unit>>("/units").catch((error: unknown) => {
      asked = null;
      throw error;
    });
    return asked;
  });
}

const plain = (text: string) => text.normalize("NFKC").replace(/[\s^]/g, "");

/** The sign of a unit, however it was written; what is not known stays as it is. */
export function signOf(written: string, units: readonly Unit[]): string {
  const wanted = plain(written);
  const found = units.find(({ code, sign, also }) => [code, sign, ...also].some((way) => way !== "" && plain(way) === wanted));
  return found ? found.sign : written;
}

/** A code as people write it; what is not known stays as it is. */
export function written(code: string, units: readonly Unit[]): string {
  const found = units.find((unit) => unit.code === code);
  return found ? spellingOf(found, units) : code;
}

/** A unit as it is entered: its sign, where that means this unit alone, else its code. */
export function spellingOf({ code, sign }: Unit, units: readonly Unit[]): string {
  return sign !== "" && units.find((other) => other.sign === sign || other.code === sign)?.code === code ? sign : code;
}
