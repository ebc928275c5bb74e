/** What a failing check's sentence offers to put right at once. */

import type { Check, Driver, Settings } from "./types";

export interface Cure {
  label: string;
  settings: Settings;
  /** The cure trusts a certificate: it is compared by a person first. */
  trust: boolean;
}

const SERVER_CERTIFICATE = /^The server's certificate\b/;
const FINGERPRINT = /(?<![0-9A-Fa-f])(?:[0-9A-Fa-f]{2}[: ]?){31}[0-9A-Fa-f]{2}(?![0-9A-Fa-f])/;
const OFFERS = /it offers: ([^.]+)\./;
const UNITS = /^Units? ([\d, and]+) do(?:es)?\./;
const CURES_MAX = 4;

/** The SHA-256 fingerprint of a server's certificate that is not trusted, if the sentence shows one. */
export function fingerprintIn(sentence: string): string | null {
  return SERVER_CERTIFICATE.test(sentence) ? (FINGERPRINT.exec(sentence)?.[0] ?? null) : null;
}

function trusting(sentence: string, settings: Settings): Cure[] {
  const fingerprint = fingerprintIn(sentence);
  if (fingerprint === null) return [];
  const known = Array.isArray(settings.trusted_fingerprints) ? (settings.trusted_fingerprints as unknown[]) : [];
  return [{ label: fingerprint, settings: { trusted_fingerprints: [...known, fingerprint] }, trust: true }];
}

/** Security policies a server offers, as our setting names them: `None`, `Basic256Sha256 (sign)`. */
function offered(sentence: string, policies: readonly string[], modes: readonly string[]): Cure[] {
  const parts = OFFERS.exec(sentence)?.[1]?.split(/,\s*|\s+and\s+/) ?? [];
  return parts.flatMap((part) => {
    const [, name = "", mode] = /^(\S+)(?: \((.+)\))?$/.exec(part.trim()) ?? [];
    const policy = policies.find((known) => known.toLowerCase() === name.toLowerCase());
    if (policy === undefined) return [];
    const known = modes.find((each) => each === mode);
    return [{ label: part.trim(), settings: { security_policy: policy, ...(known && { security_mode: known }) }, trust: false }];
  });
}

function answeringUnits(sentence: string): Cure[] {
  const units = UNITS.exec(sentence)?.[1]?.match(/\d+/g) ?? [];
  return units.map((unit) => ({ label: unit, settings: { unit: Number(unit) }, trust: false }));
}

/** Settings that would put a failing check right, as its sentence names them. */
export function curesOf({ detail }: Check, { config_schema }: Driver, settings: Settings): Cure[] {
  const properties = config_schema.properties ?? {};
  return [
    ...("trusted_fingerprints" in properties ? trusting(detail.en, settings) : []),
    ...("security_policy" in properties ? offered(detail.en, properties.security_policy?.enum ?? [], properties.security_mode?.enum ?? []) : []),
    ...("unit" in properties ? answeringUnits(detail.en) : []),
  ].slice(0, CURES_MAX);
}
