/** The keys of every page. Single letters can be turned off, and never act while something is typed. */

const CHORD_MS = 1000;
const PLACES: Record<string, string> = { o: "/", p: "/plant", a: "/alarms", t: "/trend", c: "/connect" };

export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName);
}

export function lettersAreKeys(): boolean {
  return localStorage.getItem("ms-letters") !== "off";
}

export function onShellKeys(on: { palette: () => void; help: () => void; go: (to: string) => void }): () => void {
  let chordUntil = 0;
  const pressed = (event: KeyboardEvent) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      on.palette();
      return;
    }
    if (isTyping(event.target) || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.key === "/") {
      event.preventDefault();
      on.palette();
    } else if (event.key === "?") on.help();
    else if (lettersAreKeys()) {
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
