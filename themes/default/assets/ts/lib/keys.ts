// Keys that work on every page; others are written where they belong: data-key="t" clicks or focuses its element.
let started = "";

const PAGES: Record<string, string> = { m: "/models", d: "/datasets", c: "/codes", s: "/spaces", h: "/" };

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      (event.target as Element | null)?.closest("form")?.requestSubmit();
    }
    return;
  }
  const target = event.target as HTMLElement;
  if (
    target.isContentEditable ||
    /^(input|textarea|select)$/i.test(target.tagName) ||
    document.querySelector("dialog[open]")
  )
    return;
  const goes = started === "g" ? PAGES[event.key] : undefined;
  started = event.key;
  if (goes) {
    location.assign(goes);
    return;
  }
  const element = document.querySelector<HTMLElement>(`[data-key="${CSS.escape(event.key)}"]`);
  if (!element) return;
  event.preventDefault();
  if (/^(input|textarea|select)$/i.test(element.tagName)) element.focus();
  else element.click();
});
