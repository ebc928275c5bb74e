/** The keys of every page. Those of a single character can be turned off, and never act while something is typed. */

import { useEffect, useRef } from "react";

const CHORD_MS = 1000;
const PLACES: Record<string, string> = { o: "/", p: "/plant", a: "/alarms", t: "/trend", c: "/connect" };

const TAKES_NO_TEXT = new Set(["checkbox", "radio", "button", "submit", "file"]);
const LETTERS = "ms-letters";

export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return !TAKES_NO_TEXT.has(target.type);
  return target.isContentEditable || ["TEXTAREA", "SELECT"].includes(target.tagName);
}

/** Whether letters, digits and signs act by themselves: who speaks to the computer, or hits keys unawares, turns them off. */
export function lettersAreKeys(): boolean {
  return localStorage.getItem(LETTERS) !== "off";
}

export function turnLetters(on: boolean): void {
  localStorage.setItem(LETTERS, on ? "on" : "off");
}

/** The keys of a page, by what they do; those of its latest rendering count. */
export function usePageKeys(keys: Readonly<Record<string, (() => void) | null>>): void {
  const latest = useRef(keys);
  useEffect(() => {
    latest.current = keys;
  });
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (isTyping(event.target) || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || !lettersAreKeys()) return;
      if (event.target instanceof Element && event.target.closest("[role=dialog]")) return;
      const act = latest.current[event.key];
      if (!act) return;
      event.preventDefault();
      act();
    };
    window.addEventListener("keydown", pressed);
    return () => window.removeEventListener("keydown", pressed);
  }, []);
}

export function onShellKeys(on: { palette: () => void; help: () => void; go: (to: string) => void }): () => void {
  let chordUntil = 0;
  const pressed = (event: KeyboardEvent) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      on.palette();
      return;
    }
    if (isTyping(event.target) || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || !lettersAreKeys()) return;
    // What lies under a dialog is not worked with.
    if (event.target instanceof Element && event.target.closest("[role=dialog]")) return;
    if (event.key === "/") {
      event.preventDefault();
      on.palette();
    } else if (event.key === "?") on.help();
    else {
      const place = PLACES[event.key];
      if (performance.now() < chordUntil && place !== undefined) {
        event.preventDefault();
        on.go(place);
      }
      chordUntil = event.key === "g" ? performance.now() + CHORD_MS : 0;
    }
  };
  window.addEventListener("keydown", pressed);
  return () => window.removeEventListener("keydown", pressed);
}
