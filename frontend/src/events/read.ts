/** What an event says, put into words: its things by role, its words of the vocabulary, its names. */

import { exactText, PIECES } from "../records/value-text";
import { written, type Unit } from "../units";
import type { Words } from "../types";
import type { Say } from "../words";
import type { eventWords } from "../words/events";
import type { EpcisEvent, Names, Quantity, Role, Vocabulary } from "./types";

export interface Reading {
  t: Say<typeof eventWords>;
  say: (words: Words | string | null | undefined) => string;
  units: readonly Unit[];
  vocabulary: Vocabulary;
}
export interface Thing extends Partial<Quantity> {
  role: Role;
  uri: string;
}

const WEB = /^(?:https:\/\/(?:ref|ns)\.gs1\.org\/cbv\/|cbv:)[A-Za-z]+-/;
const OURS = /^urn:mainspring:(?:lot|unit|item|energy|asset|order|operation|bizstep|disp|btt):/;

/** Everything an event is about, inputs first. */
export function thingsOf(event: EpcisEvent): Thing[] {
  const made = (role: Role, uris: readonly string[] = [], quantities: readonly Quantity[] = []): Thing[] => [
    ...uris.map((uri) => ({ role, uri })),
    ...quantities.map((each) => ({ role, uri: each.epcClass, ...each })),
  ];
  return [
    ...made("input", event.inputEPCList, event.inputQuantityList),
    ...made("output", event.outputEPCList, event.outputQuantityList),
    ...made("parent", event.parentID ? [event.parentID] : []),
    ...made("child", event.childEPCs, event.childQuantityList),
    ...made(event.type === "AggregationEvent" || event.type === "AssociationEvent" ? "child" : "what", event.epcList, event.quantityList),
  ];
}

/** All names in an event that may mean a record. */
export function urisOf(event: EpcisEvent): string[] {
  const places = [event.readPoint?.id, event.bizLocation?.id, ...(event.sourceList ?? []).map(({ source }) => source), ...(event.destinationList ?? []).map(({ destination }) => destination)];
  const all = [...thingsOf(event).map(({ uri }) => uri), ...places, ...(event.bizTransactionList ?? []).map(({ bizTransaction }) => bizTransaction)];
  return [...new Set(all.filter((uri): uri is string => uri !== undefined))];
}

/** A word of the vocabulary in any of its forms, by its short name. */
export const shortWord = (word: string) => word.replace(/^urn:epcglobal:cbv:[a-z]+:/, "").replace(WEB, "");

export function wordOf(of: keyof Vocabulary["words"], word: string | undefined, { vocabulary, say }: Reading): string {
  if (!word) return "";
  return say(vocabulary.words[of][shortWord(word)]) || tail(word);
}

/** A name without what all of its kind begin with. */
export function tail(uri: string): string {
  if (!OURS.test(uri)) return uri;
  const rest = uri.replace(OURS, "").split(":");
  try {
    return rest.map(decodeURIComponent).join(" ");
  } catch {
    return rest.join(" ");
  }
}

/** The lot or serial number in a name of ours that is no record of its own. */
export function lotIn(uri: string): string {
  const found = /^urn:mainspring:(?:lot|unit):[^:]+:(.+)$/.exec(uri)?.[1];
  return found === undefined ? "" : tail(`urn:mainspring:lot:${found}`);
}

/** What people call a name: the records it means, else itself. */
export function nameText(uri: string, names: Names, say: Reading["say"]): string {
  const records = names[uri] ?? [];
  if (records.length === 0) return tail(uri);
  const told = records.map(({ name }) => say(name));
  return [...told, ...(records.length === 1 && records[0]?.kind === "item" ? [lotIn(uri)] : [])].filter((part) => part !== "").join(" ");
}

export function amountText({ quantity, uom }: Partial<Quantity>, { t, units, vocabulary }: Reading): string {
  if (quantity === undefined) return "";
  const code = uom === undefined ? PIECES : (vocabulary.units[uom] ?? uom);
  return `${exactText(quantity)} ${code === PIECES ? t("pieces") : written(code, units)}`;
}

/** All things of an event in a line: the first of each role, with how many more there are. */
export function thingsText(event: EpcisEvent, names: Names, reading: Reading): string {
  const { t, say } = reading;
  const things = thingsOf(event);
  const of = (...roles: Role[]) => {
    const [first, ...others] = things.filter(({ role }) => roles.includes(role));
    if (!first) return "";
    const told = `${nameText(first.uri, names, say)} ${amountText(first, reading)}`.trimEnd();
    return others.length === 0 ? told : t("andMore", { first: told, n: others.length });
  };
  const used = of("input");
  const made = of("output");
  if (used !== "" && made !== "") return t("madeOf", { made, used });
  const whole = of("parent");
  const child = of("child", "what");
  if (whole !== "" && child !== "") return t("inWhole", { child, whole });
  return used || made || whole || child;
}

/** What happened, in a word or two: the step, else what kind of event it is. */
export function happenedText(event: EpcisEvent, reading: Reading): string {
  return wordOf("bizStep", event.bizStep, reading) || kindText(event, reading);
}

export function kindText({ type, action = "" }: EpcisEvent, { t }: Reading): string {
  const key = `${type}_${action}`;
  const told = t(key as "ObjectEvent_ADD");
  return told === key ? type : told;
}

export const msOf = (time: string) => Date.parse(time);

/** How an event is told from the declaration that it is wrong. */
export const keyOf = (event: EpcisEvent) => `${event.eventID} ${event.errorDeclaration ? "declared" : ""}`;

/** Where things are after an event, else where they were seen. */
export const placeOf = ({ bizLocation, readPoint }: EpcisEvent) => bizLocation?.id ?? readPoint?.id ?? "";
