/** Business records as the interface gives them: each kind says itself what its fields, states and steps are. */

import type { Words } from "../types";

export interface KindBrief {
  kind: string;
  one: Words;
  many: Words;
  group: string;
  moves: readonly { name: string; words: Words }[];
}
export interface Move {
  name: string;
  sources: string[];
  target: string;
  words: Words;
  right: string;
  /** Fields that must be filled in before. */
  needs: string[];
}
/** A JSON Schema, as far as forms of records use it. */
export interface Schema {
  $ref?: string;
  $defs?: Record<string, Schema>;
  anyOf?: Schema[];
  type?: string;
  format?: string;
  title?: string;
  enum?: string[];
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  default?: unknown;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  readOnly?: boolean;
  maxLength?: number;
  maxItems?: number;
  "x-words"?: Words;
  "x-control"?: string;
  "x-hint"?: Words;
  "x-unit"?: string;
  "x-unit-in"?: string;
  "x-choices"?: Record<string, Words>;
  "x-kind"?: string;
  "x-series"?: string;
  "x-holds"?: string;
}
export interface Kind extends KindBrief {
  /** Fields that tell one record from another. */
  key: string[];
  /** The field that names a record. */
  title: string;
  columns: string[];
  order: string;
  append_only: boolean;
  schema: Schema;
  states: Record<string, Words>;
  moves: readonly Move[];
  /** Rights: who may look, who may write. */
  view: string;
  write: string;
  /** Exports of other systems that it can be imported from. */
  sources: { name: string; words: Words }[];
  /** The fields of other kinds that lead here; those of parts belong to it. */
  linked_by: { kind: string; field: string; part: boolean }[];
}

export interface Row {
  id: string;
  version: number;
  state: string;
  created_ms: number;
  changed_ms: number;
  [field: string]: unknown;
}
export interface RowPage {
  items: Row[];
  /** Counted up to a limit; `more` says that there are further ones. */
  total: number;
  more: boolean;
  /** Where the next page begins, empty at the end. */
  next: string;
  titles: Titles;
}
/** Names of the records that others link to, by id. */
export type Titles = Readonly<Record<string, Words>>;
export interface Detail extends Row {
  title: string;
  titles: Titles;
  /** The steps that are possible now. */
  moves: string[];
  /** In this state no field changes. */
  fixed: boolean;
}
