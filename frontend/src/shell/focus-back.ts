/**
 * Gives the focus back when a layer takes it away with it.
 *
 * antd does so for a drawer that was opened by a button and is closed by it. A drawer opened from a menu finds its menu
 * gone, and one that is taken out of the page while open tells nobody; the focus then falls to the body, and who works
 * by keyboard begins at the top of the page again.
 */

import { type RefObject, useEffect, useRef } from "react";

const LAYERS = ".ant-drawer, .ant-modal-wrap, .ant-popover, .ant-dropdown";
const ITEMS = "[role=menuitem], [role=row], [role=treeitem]";
const REMEMBERED = 30;
const FADES_MS = [50, 200, 500, 1000, 2000, 4000];
const FRAMES_MAX = 30;

/** Newest first: what had the focus, and whether it stood in a layer then. */
let trail: { element: HTMLElement; layer: boolean }[] = [];

const isThere = (element: HTMLElement) => element.isConnected && element.getClientRects().length > 0 && getComputedStyle(element).visibility !== "hidden" && !element.matches(":disabled");

function remember({ target }: FocusEvent): void {
  if (!(target instanceof HTMLElement) || target === document.body) return;
  trail = [{ element: target, layer: target.closest(LAYERS) !== null }, ...trail.filter(({ element }) => element !== target && element.isConnected)].slice(0, REMEMBERED);
}

function giveBack(): void {
  const active = document.activeElement;
  const [last] = trail;
  // What merely lost the focus to a click beside it is still there; only what went with its layer counts.
  if ((active !== null && active !== document.body) || !last?.layer || isThere(last.element)) return;
  trail.find(({ element }) => isThere(element))?.element.focus({ preventScroll: true });
}

/**
 * One press of Enter does one thing. A menu opens its dialog while the key goes down, and the dialog takes the focus: the
 * rest of the same press would then answer the question it asks.
 */
function pressOnce(event: KeyboardEvent): void {
  if (event.key === "Enter" && event.target instanceof HTMLElement && event.target.matches(ITEMS)) event.preventDefault();
}

/** Watch from now on; returns the way to stop. */
export function watchFocus(): () => void {
  // Layers hang on the body: what is removed elsewhere, live values among it, costs nothing here.
  const soon = () => requestAnimationFrame(giveBack);
  // A layer that is kept hidden leaves no trace there: it goes after a key or a click, some after a fade, late where the machine is busy.
  const afterwards = () => FADES_MS.forEach((delay_ms) => setTimeout(giveBack, delay_ms));
  const observer = new MutationObserver(soon);
  observer.observe(document.body, { childList: true });
  document.addEventListener("keydown", pressOnce, true);
  document.addEventListener("focusin", remember);
  document.addEventListener("focusout", soon);
  document.addEventListener("keyup", afterwards);
  document.addEventListener("click", afterwards);
  return () => {
    observer.disconnect();
    document.removeEventListener("keydown", pressOnce, true);
    document.removeEventListener("focusin", remember);
    document.removeEventListener("focusout", soon);
    document.removeEventListener("keyup", afterwards);
    document.removeEventListener("click", afterwards);
  };
}

/** What is put in this ref takes the focus when `step` changes and what had it went away with the step before. */
export function useFocusOf<T extends HTMLElement>(step: string): RefObject<T | null> {
  const place = useRef<T>(null);
  const shown = useRef(step);
  useEffect(() => {
    if (shown.current === step) return;
    shown.current = step;
    if (document.activeElement === null || document.activeElement === document.body) place.current?.focus({ preventScroll: true });
  }, [step]);
  return place;
}

/**
 * As a ref: the field in this place takes the focus as soon as it is in sight.
 *
 * What autoFocus asks for comes before a dialog is in the page; the dialog then gives the focus to its close button.
 */
export function focusOnceShown(place: HTMLElement | null): void {
  const attempt = (left: number) => {
    const field = place?.querySelector<HTMLElement>("input, textarea");
    if (field && isThere(field)) field.focus();
    else if (place && left > 0) requestAnimationFrame(() => attempt(left - 1));
  };
  attempt(FRAMES_MAX);
}
