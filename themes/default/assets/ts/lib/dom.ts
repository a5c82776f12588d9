// Small helpers over the document.

/** Every element that matches, now and whenever a part of the page is replaced or added: calls once for each. */
export function onEach<E extends HTMLElement>(selector: string, run: (element: E) => void): void {
  const seen = new WeakSet<Element>();
  const visit = (root: ParentNode) => {
    const own = root instanceof Element && root.matches(selector) ? [root as E] : [];
    for (const element of [...own, ...root.querySelectorAll<E>(selector)]) {
      if (!seen.has(element)) {
        seen.add(element);
        run(element);
      }
    }
  };
  visit(document);
  new MutationObserver((changes) => {
    for (const change of changes) {
      for (const node of change.addedNodes) if (node instanceof Element) visit(node);
    }
  }).observe(document.documentElement, { childList: true, subtree: true });
}

/** Listen on the document for an event on elements that match, present and future. */
export function on<K extends keyof DocumentEventMap>(
  kind: K,
  selector: string,
  run: (element: HTMLElement, event: DocumentEventMap[K]) => void,
): void {
  document.addEventListener(kind, (event) => {
    const found = event.target instanceof Element ? event.target.closest<HTMLElement>(selector) : null;
    if (found) run(found, event);
  });
}

/** Open a dialog with the keys in its first field; where it has none, the browser says where they go. */
export function showDialog(dialog: HTMLDialogElement): void {
  dialog.showModal();
  if (dialog.querySelector("[autofocus]")) return;
  dialog.querySelector<HTMLElement>(".field > :is(input, select, textarea):not([type='hidden'], :disabled)")?.focus();
}

/** A new element with attributes and children; a text child is text, never HTML. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** An icon of the theme's sprite. */
export function icon(name: string): SVGSVGElement {
  const sprite = document.querySelector<HTMLMetaElement>('meta[name="icons"]')?.content ?? "";
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${sprite}#${name}`);
  svg.append(use);
  return svg;
}
