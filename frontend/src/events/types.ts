/** Events as EPCIS 2.0 has them, as far as the page reads them; what else they hold is shown as it is. */

import type { Words } from "../types";

export const ROLES = ["input", "output", "parent", "child", "what"] as const;
export type Role = (typeof ROLES)[number];

export interface Quantity {
  epcClass: string;
  quantity?: number;
  uom?: string;
}
export interface Declaration {
  declarationTime: string;
  reason?: string;
  correctiveEventIDs?: string[];
}
export interface EpcisEvent {
  type: string;
  eventID: string;
  eventTime: string;
  eventTimeZoneOffset: string;
  recordTime: string;
  errorDeclaration?: Declaration;
  action?: string;
  bizStep?: string;
  disposition?: string;
  persistentDisposition?: { set?: string[]; unset?: string[] };
  readPoint?: { id: string };
  bizLocation?: { id: string };
  bizTransactionList?: { type?: string; bizTransaction: string }[];
  sourceList?: { type: string; source: string }[];
  destinationList?: { type: string; destination: string }[];
  sensorElementList?: { sensorMetadata?: Record<string, unknown>; sensorReport: Record<string, unknown>[] }[];
  epcList?: string[];
  quantityList?: Quantity[];
  parentID?: string;
  childEPCs?: string[];
  childQuantityList?: Quantity[];
  inputEPCList?: string[];
  inputQuantityList?: Quantity[];
  outputEPCList?: string[];
  outputQuantityList?: Quantity[];
  ilmd?: Record<string, unknown>;
  [field: string]: unknown;
}

/** A record that a name in an event means. */
export interface Named {
  kind: string;
  id: string;
  name: Words;
}
export type Names = Readonly<Record<string, readonly Named[]>>;

export interface Vocabulary {
  words: Record<"bizStep" | "disposition" | "transaction" | "party" | "reason", Record<string, Words>>;
  types: string[];
  /** Our units by the codes that events have. */
  units: Record<string, string>;
}
