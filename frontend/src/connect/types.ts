import type { SampleKind, Words } from "../types";
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
