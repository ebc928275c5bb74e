/** Shapes of the HTTP interface (`/api/v1`). Times are integer milliseconds UTC; a `tag` in an array is an ordinal. */

import type { Priority } from "./theme/tokens";

export type Language = "en" | "zh";
export interface Words {
  en: string;
  zh: string;
}
export interface Page<T> {
  items: T[];
  total: number;
}

export interface Site {
  product_version: string;
  tenant: string;
  name: Words;
  zone: string;
  zone_offset_min: number;
  demo: boolean;
  several: boolean;
  now_ms: number;
  languages: Language[];
  shelf_hours_max: number;
  /** Companies may ask for an account by themselves. */
  registration: boolean;
  /** A person is: asking for the session of nobody would be an error. */
  signed_in: boolean;
  /** Of the sites that have a calendar: when their shifts begin, on the plant's clock. */
  shifts: { path: string; starts: string[] }[];
}

export const ROLES = ["guest", "viewer", "operator", "engineer", "administrator"] as const;
export type Role = (typeof ROLES)[number];
export type ThemeChoice = "light" | "dark" | "system";
export interface Person {
  id: string;
  tenant: string;
  username: string;
  display_name: string;
  role: Role;
  /** In the whole plant. */
  rights: string[];
  /** Where there are further ones: below the path of an asset, or where the company is its `owner` or `operator`. */
  parts: { path: string; company: string; rights: string[] }[];
  language: Language | null;
  theme: ThemeChoice | null;
  must_change_password: boolean;
  /** Nothing else is open until one is set up. */
  must_add_second_factor: boolean;
}

export const ASSET_KINDS = ["enterprise", "site", "area", "line", "unit", "meter"] as const;
export type AssetKind = (typeof ASSET_KINDS)[number];
export interface Ancestor {
  id: string;
  name: Words;
  kind?: AssetKind;
}
export interface Asset {
  id: string;
  parent: string | null;
  kind: AssetKind;
  name: Words;
  path: string;
  child_count: number;
  tag_count: number;
  version: number;
  ancestors?: Ancestor[];
}
export interface AssetDetail extends Asset {
  ancestors: Ancestor[];
  children: Asset[];
  description: Words | null;
  suppress_when: string;
  suppress_reason: Words | null;
  shifts: string[];
}

export const CONDITIONS = ["HH", "H", "L", "LL", "stale", "rate", "state", "change", "expression"] as const;
export type Condition = (typeof CONDITIONS)[number];
export type SampleKind = "float64" | "int64" | "boolean" | "enumeration" | "text" | "blob" | "array";
export interface TagLimit {
  id: string;
  condition: Condition;
  limit: number;
  priority: Priority;
  name: Words;
}
/** What writing to a tag requires beyond the right to command. */
export interface WritePolicy {
  role: Role;
  reason: boolean;
  password: boolean;
  second_person: boolean;
  hold: boolean;
  interlock: { tag: string; holds: "equals" | "differs" | "above" | "below"; value: number } | null;
}
export interface Tag {
  id: string;
  tag: number;
  name: string;
  path: string;
  description: Words | null;
  asset: string | null;
  kind: SampleKind;
  unit: string;
  unit_sign: string;
  low: number | null;
  high: number | null;
  decimals: number | null;
  connection: string | null;
  address: Record<string, unknown> | null;
  scan_ms: number;
  gain: number;
  offset: number;
  dead_band: number;
  silence_max_ms: number;
  stale_ms: number;
  writable: boolean;
  write_policy: WritePolicy | null;
  enabled: boolean;
  words: Record<string, Words> | null;
  version: number;
  alarms: TagLimit[];
}

export type AlarmState =
  | "active-unacknowledged"
  | "active-acknowledged"
  | "cleared-unacknowledged"
  | "normal"
  | "shelved"
  | "out-of-service"
  | "suppressed";
export const TRANSITIONS = [
  "raised",
  "cleared",
  "acknowledged",
  "removed",
  "shelved",
  "unshelved",
  "out-of-service",
  "in-service",
  "commented",
  "suppressed",
  "unsuppressed",
] as const;
export type AlarmTransition = (typeof TRANSITIONS)[number];
export interface Alarm {
  alarm: string;
  tag: number;
  tag_id: string;
  tag_name: string;
  path: string;
  /** The asset of the tag and what that stands in, by name. */
  place: Words;
  asset: string | null;
  /** As people read it: °C. */
  unit: string;
  decimals: number | null;
  /** Words of the tag's values, where it has some. */
  words?: Record<string, Words> | null;
  /** Whether its tag replays a recording. */
  replayed: boolean;
  condition: Condition;
  priority: Priority;
  state: AlarmState;
  raised_ms: number;
  changed_ms: number;
  value: number | null;
  limit: number;
  acknowledged_by: string;
  comment: string;
  name: Words;
  consequence: Words | null;
  response: Words | null;
  /** Of a rate of change: second, minute or hour. */
  per?: string;
  expression?: string;
  /** Of an alarm that is shelved or out of service: whether its condition holds, who silenced it, when and until when. */
  active?: boolean;
  by?: string;
  since_ms?: number | null;
  until_ms?: number | null;
  /** Of an alarm that is suppressed by design: why, and what names the condition; an asset has path and name. */
  suppression?: { reason: Words | null; expression: string; path: string; name: Words | null } | null;
}
export type AlarmCounts = Record<Priority, { unacknowledged: number; total: number }>;
export interface AlarmPage extends Page<Alarm> {
  counts: AlarmCounts;
}
export interface AlarmEvent {
  id: string;
  alarm: string;
  tag: number;
  condition: Condition;
  priority: Priority;
  transition: AlarmTransition;
  state: AlarmState;
  time_ms: number;
  raised_ms: number;
  value: number | null;
  limit: number;
  by: string;
  comment: string;
  name: Words;
  per?: string;
  tag_name: string;
  path: string;
  /** The asset of the tag and what that stands in, by name. */
  place: Words;
  unit: string;
  decimals: number | null;
  /** Words of the tag's values, where it has some. */
  words?: Record<string, Words> | null;
  /** Whether its tag replays a recording. */
  replayed: boolean;
}
export interface AlarmDefinition {
  id: string;
  tag_id: string;
  tag: number;
  condition: Condition;
  limit: number;
  dead_band: number;
  per: "second" | "minute" | "hour";
  window_ms: number;
  direction: "both" | "rising" | "falling";
  states: number[];
  expression: string;
  on_delay_ms: number;
  off_delay_ms: number;
  priority: Priority;
  name: Words;
  consequence: Words | null;
  response: Words | null;
  enabled: boolean;
  suppress_when: string;
  suppress_reason: Words | null;
  version: number;
}

export interface DegradedRole {
  role: string;
  state: "restarting" | "silent" | "degraded";
  text: Words;
  since_ms: number;
}

export interface OverviewArea {
  id: string;
  name: Words;
  path: string;
  alarms: Partial<Record<Priority, number>>;
  tag_count: number;
  bad_count: number;
}
export interface Overview {
  areas: OverviewArea[];
  sources: { live: number; total: number; replayed: number; lost: { id: string; name: string; replayed: boolean; since_ms: number | null; text: Words | null }[] };
  alarm_rate_per_h: number | null;
  alarms_last_10_min: number | null;
  lag_ms: number | null;
  disk: { used_bytes: number; free_bytes: number } | null;
  history: { samples: number; bytes_on_disk: number; oldest_ms: number | null; newest_ms: number | null } | null;
}

export type HitKind = "asset" | "tag" | "alarm" | "connection" | "record" | "page";
export interface Hit {
  kind: HitKind;
  id: string;
  name: Words;
  path: string;
  tag?: number;
  /** Of a record: its kind, what people call one, and what it is beside its name. */
  of?: string;
  word?: Words | null;
  about?: Words | null;
}

export interface User {
  id: string;
  username: string;
  display_name: string;
  role: Role;
  enabled: boolean;
  /** For programs: it has tokens and cannot sign in. */
  service: boolean;
  last_sign_in_ms: number | null;
  locked: boolean;
  version: number;
}
/** A browser in which someone is signed in. */
export interface OpenSession {
  id: string;
  begun_ms: number;
  seen_ms: number;
  address: string;
  browser: string;
  system: string;
  current: boolean;
}
export interface Invitation {
  id: string;
  email: string;
  name: string;
  role: Role;
  company_role_code: string;
  place_path: string;
  created_ms: number;
  expires_ms: number;
}
/** A company that asks for an account. */
export interface Registration {
  id: string;
  company: string;
  credit_code: string;
  contact: string;
  email: string;
  phone: string;
  notes: string;
  state: "unconfirmed" | "waiting" | "accepted" | "refused";
  created_ms: number;
  reason: string;
  made: string;
}
export interface Token {
  id: string;
  name: string;
  role: Role;
  /** All of the role if null. */
  rights: string[] | null;
  kinds: string[];
  place_path: string;
  user: string | null;
  expires_ms: number | null;
  last_used_ms: number | null;
}
export const ACTIONS = [
  "create",
  "change",
  "delete",
  "sign-in",
  "sign-in-failed",
  "sign-out",
  "acknowledge",
  "select",
  "command",
  "export",
  "enter",
  "correct",
  "read",
] as const;
export type Action = (typeof ACTIONS)[number];
export interface AuditEntry {
  id: string;
  /** Its place in the chain. */
  sequence: number;
  time_ms: number;
  user: string;
  action: Action;
  object_kind: string;
  object_id: string;
  object_name: string;
  changes: Record<string, [unknown, unknown]>;
  address: string;
}
