import type { Page, SampleKind, Words } from "../types";
import type { ObjectSchema } from "./schema";

export type ConnectionState = "connected" | "connecting" | "lost" | "rejected" | "disabled" | "unknown";

export interface Health {
  state: ConnectionState;
  text: Words | null;
  since_ms: number | null;
  tags_bad: number;
  samples_per_s: number;
  requests_per_s: number;
  errors_per_min: number;
  round_trip_ms: number;
  last_sample_ms: number | null;
  refused: Refusal[];
}
/** What a connection did not take, and how often. */
export interface Refusal {
  text: Words;
  count: number;
}
export type Settings = Record<string, unknown>;
export interface Connection {
  id: string;
  name: string;
  driver: string;
  gateway: string;
  settings: Settings;
  enabled: boolean;
  replayed: boolean;
  version: number;
  tag_count: number;
  health: Health;
}
export interface Driver {
  name: string;
  title: Words;
  config_schema: ObjectSchema;
  address_schema: ObjectSchema;
  subscribes: boolean;
  browses: boolean;
  writes: boolean;
}
export interface Gateway {
  name: string;
  alive: boolean;
  /** `mqtt://host:port` of its listener for devices; empty where it has none. */
  listener: string;
}
export interface Check {
  name: Words;
  ok: boolean;
  detail: Words;
  elapsed_ms: number;
}
export interface BrowseNode {
  id: string;
  name: string;
  has_children: boolean;
  kind: SampleKind | null;
  address: Record<string, unknown> | null;
  unit: string;
  description: string | Words | null;
  writable: boolean;
  value: unknown;
}
export interface Fault {
  row: number;
  field: string;
  text: Words;
}
export interface BulkOutcome {
  created: number;
  updated: number;
  refused: Fault[];
}
export interface TemplateTag {
  name: string;
  address: Record<string, unknown>;
  kind: SampleKind;
  unit?: string;
  description?: Words;
  limits?: Record<string, number>;
  words?: Record<string, Words>;
  writable?: boolean;
}
export interface TemplateParameter {
  key: string;
  title: Words;
  kind: "text" | "whole";
  default: string | number | null;
}
export interface Template {
  name: string;
  title: Words;
  description: Words;
  source: string;
  driver: string;
  parameters: TemplateParameter[];
  tags: number;
  own: boolean;
  installed: boolean;
}
/** The list of templates, and the files that cannot be read. */
export interface TemplateList extends Page<Template> {
  damaged: { name: string; text: Words }[];
}
export interface AppliedTemplate {
  driver: string;
  settings: Settings;
  tags: TemplateTag[];
}
/** A value read before anything is stored, as the device gives it. */
export interface Preview {
  value: number | string | null;
  quality: number;
  time_ms: number | null;
  text: Words | null;
}
