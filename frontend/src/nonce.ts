/** The nonce the server put into this page, without which the content policy refuses a style element. */
export const nonce = document.querySelector<HTMLElement>("meta[property=csp-nonce]")?.nonce ?? "";

/**
 * Gives the nonce to every style element made from here on.
 *
 * antd passes its own `csp` setting on everywhere but in the scroll lock of dialogs and the measuring of scroll bars,
 * which would be refused and reported each time a dialog opens.
 */
export function stampStyles(): void {
  if (nonce === "") return;
  const create = document.createElement.bind(document);
  document.createElement = ((name: string, options?: ElementCreationOptions) => {
    const element = create(name, options);
    if (name.toLowerCase() === "style") element.nonce = nonce;
    return element;
  }) as typeof document.createElement;
}
