/** What a form needs to know of a driver's JSON Schema: which fields, in what order, how entered and how checked. */

import type { Language } from "../types";
import type { Settings } from "./types";

export interface PropertySchema {
  type?: string;
  title?: string;
  title_zh?: string;
  unit?: string;
  secret?: boolean;
  default?: unknown;
  enum?: readonly string[];
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  minLength?: number;
  maxLength?: number;
  maxItems?: number;
  pattern?: string;
  format?: string;
  anyOf?: readonly PropertySchema[];
}
export interface ObjectSchema {
  properties?: Record<string, PropertySchema>;
  required?: readonly string[];
}

export type FieldKind = "choice" | "yes-no" | "whole" | "number" | "list" | "secret" | "text";
export interface Field {
  key: string;
  kind: FieldKind;
  title: Record<Language, string>;
  unit: string;
  required: boolean;
  nullable: boolean;
  advanced: boolean;
  choices: readonly string[];
  min: number | undefined;
  max: number | undefined;
  maxLength: number | undefined;
  maxItems: number | undefined;
  pattern: string | undefined;
  byDefault: unknown;
}

function kindOf(schema: PropertySchema): FieldKind {
  if (schema.enum) return "choice";
  if (schema.secret) return "secret";
  switch (schema.type) {
    case "boolean":
      return "yes-no";
    case "integer":
      return "whole";
    case "number":
      return "number";
    case "array":
      return "list";
    default:
      return "text";
  }
}

/** The integer just inside an exclusive bound; other numbers are left to the server. */
function lowest(schema: PropertySchema): number | undefined {
  if (schema.minimum !== undefined) return schema.minimum;
  return schema.exclusiveMinimum !== undefined && schema.type === "integer" ? schema.exclusiveMinimum + 1 : undefined;
}

function highest(schema: PropertySchema): number | undefined {
  if (schema.maximum !== undefined) return schema.maximum;
  return schema.exclusiveMaximum !== undefined && schema.type === "integer" ? schema.exclusiveMaximum - 1 : undefined;
}

/**
 * The fields of a schema in its order. Seen at once are those that say where and who: required ones, choices, secrets and
 * plain texts and numbers ahead of the first that has a unit; limits, files and lists are advanced.
 */
export function fieldsOf(schema: ObjectSchema): Field[] {
  const entries = Object.entries(schema.properties ?? {});
  const tuning = entries.findIndex(([, { unit }]) => unit !== undefined);
  return entries.map(([key, outer], index) => {
    const nullable = outer.anyOf?.some(({ type }) => type === "null") ?? false;
    const inner: PropertySchema = { ...outer.anyOf?.find(({ type }) => type !== "null"), ...outer };
    const kind = kindOf(inner);
    const required = schema.required?.includes(key) ?? false;
    const plain = (kind === "text" || kind === "whole") && !nullable && inner.format === undefined && (tuning < 0 || index < tuning);
    return {
      key,
      kind,
      title: { en: inner.title ?? key, zh: inner.title_zh ?? inner.title ?? key },
      unit: inner.unit ?? "",
      required,
      nullable,
      advanced: !(required || kind === "choice" || kind === "secret" || plain || SEEN.has(key)),
      choices: inner.enum ?? [],
      min: lowest(inner),
      max: highest(inner),
      maxLength: inner.maxLength,
      maxItems: inner.maxItems,
      pattern: inner.pattern,
      byDefault: inner.default,
    };
  });
}

/** Fields that mean something only beside a certain choice: key, the field it hangs on, and the choices it goes with. */
const ONLY_WITH: Record<string, readonly [field: string, choices: readonly string[]]> = {
  user: ["sign_in", ["password"]],
  password: ["sign_in", ["password"]],
  password_in_clear: ["sign_in", ["password"]],
  user_certificate: ["sign_in", ["certificate"]],
  user_key: ["sign_in", ["certificate"]],
  security_mode: ["security_policy", ["Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss"]],
};

const isEmpty = (value: unknown) => value === undefined || value === null || value === "" || (Array.isArray(value) && value.length === 0);

/** What means something only where a broker is named: without one devices come to the gateway itself. */
const ONLY_WITH_HOST: ReadonlySet<string> = new Set([
  "port", "tls", "ca", "client_certificate", "client_key", "user", "password", "client_id", "keep_alive_s", "timeout_ms",
]);
/** What says which values come is seen at once, whatever its kind. */
const SEEN: ReadonlySet<string> = new Set(["topics", "time_path"]);

/** Whether a field means anything beside the other settings. */
export function applies(field: Field, fields: readonly Field[], settings: Settings): boolean {
  const host = fields.find(({ key }) => key === "host");
  if (host && !host.required && isEmpty(settings.host) && ONLY_WITH_HOST.has(field.key)) return false;
  const rule = ONLY_WITH[field.key];
  if (!rule) return true;
  const other = fields.find(({ key }) => key === rule[0]);
  return other === undefined || rule[1].includes(String(settings[other.key] ?? other.byDefault));
}

/** What a form begins with: the stored settings over the schema's defaults. */
export function withDefaults(fields: readonly Field[], settings: Settings): Settings {
  const filled: Settings = {};
  for (const { key, byDefault } of fields) {
    const value = settings[key] ?? byDefault;
    if (value !== undefined) filled[key] = value;
  }
  return filled;
}

/** What is sent: only what differs from the defaults, so that a default that improves reaches old connections, too. */
export function settingsOf(fields: readonly Field[], entered: Settings): Settings {
  const sent: Settings = {};
  for (const { key, kind, byDefault, required } of fields) {
    const value = entered[key];
    if (kind === "secret" && value !== undefined) sent[key] = value;
    else if (isEmpty(value)) {
      if (required) sent[key] = "";
    } else if (required || JSON.stringify(value) !== JSON.stringify(byDefault)) sent[key] = value;
  }
  return sent;
}

export interface Difference {
  field: Field;
  before: unknown;
  after: unknown;
}

/** What changes between stored and entered settings; an empty secret is an unchanged one. */
export function differences(fields: readonly Field[], stored: Settings, entered: Settings): Difference[] {
  const before = withDefaults(fields, stored);
  const after = withDefaults(fields, entered);
  return fields.flatMap((field) => {
    const [old, now] = [before[field.key], after[field.key]];
    if (field.kind === "secret" ? isEmpty(now) : (isEmpty(old) && isEmpty(now)) || JSON.stringify(old) === JSON.stringify(now)) return [];
    return [{ field, before: old, after: now }];
  });
}

/** The settings that say where a device is, as one line: `10.20.3.14:502 · 4`, or its URL; without one, the topics. */
export function addressText(settings: Settings): string {
  if (typeof settings.url === "string") return settings.url;
  const host = typeof settings.host === "string" ? settings.host : "";
  if (host === "") return Array.isArray(settings.topics) ? settings.topics.join(", ") : "";
  const place = settings.port === undefined ? host : `${host}:${String(settings.port)}`;
  return settings.unit === undefined ? place : `${place} · ${String(settings.unit)}`;
}
