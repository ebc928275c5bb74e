/** What events can be filtered by, and the parameters of the standard's query that say so. */

import { type Field, stamp } from "../records/fields";
import type { Condition } from "../records/query";
import type { Words } from "../types";
import { eventWords } from "../words/events";
import type { Vocabulary } from "./types";

const choice = (name: string, words: Words, choices: Record<string, Words>): Field => ({
  ...stamp(name, words), control: "choice", nullable: false, ways: ["in"], choices: Object.entries(choices).map(([value, each]) => ({ value, words: each })),
});
const uri = (name: string, words: Words, target: string): Field => ({ ...stamp(name, words), control: "uri", nullable: false, required: true, target });

export function filterFields({ words, types }: Vocabulary): Field[] {
  const kinds = Object.fromEntries(types.map((type) => [type, (eventWords as Record<string, Words>)[type] ?? { en: type, zh: type }]));
  return [
    { ...stamp("eventTime", eventWords.when), required: true },
    choice("bizStep", eventWords.bizStep, words.bizStep),
    choice("disposition", eventWords.disposition, words.disposition),
    choice("eventType", eventWords.eventType, kinds),
    uri("thing", eventWords.thing, "thing"),
    uri("readPoint", eventWords.readPoint, "place"),
    uri("bizLocation", eventWords.bizLocation, "place"),
    choice("declared", eventWords.declarations, { only: eventWords.onlyDeclarations }),
  ];
}

const CLASS = /^urn:(?:epc:(?:class|idpat)|mainspring:(?:lot|item|energy)):|\/01\/\d{14}(?:$|\/(?!.*21\/))/;
const SAME: Readonly<Record<string, string>> = { bizStep: "EQ_bizStep", disposition: "EQ_disposition", eventType: "eventType", readPoint: "EQ_readPoint", bizLocation: "EQ_bizLocation" };

/** Conditions as the query takes them: several values of one field are alternatives, times narrow one another. */
export function parametersOf(where: readonly Condition[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const { field, compare, value } of where) {
    if (field === "declared") found.EXISTS_errorDeclaration = "true";
    else if (field === "eventTime" && typeof value === "number") {
      const name = compare === "lt" ? "LT_eventTime" : "GE_eventTime";
      const time = new Date(value).toISOString();
      const known = found[name];
      if (known === undefined || (compare === "lt" ? time < known : time > known)) found[name] = time;
    } else {
      const text = Array.isArray(value) ? value.join("|") : String(value ?? "");
      // Instances and classes of things are asked for apart.
      const name = field === "thing" ? (CLASS.test(text) ? "MATCH_anyEPCClass" : "MATCH_anyEPC") : SAME[field];
      if (name && text !== "") found[name] = name in found ? `${found[name]}|${text}` : text;
    }
  }
  return found;
}
