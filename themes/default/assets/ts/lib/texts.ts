// What scripts say, in the language of the page: base.html writes it into <script type="application/json" id="texts">.

const element = document.getElementById("texts");
const texts: Record<string, string> = element?.textContent ? JSON.parse(element.textContent) : {};

/** A text by its English words, with {names} filled in. Texts of scripts are listed in templates/parts/texts.html. */
export function text(english: string, values: Record<string, string | number> = {}): string {
  const found = texts[english] ?? english;
  return found.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** The language of the page, as a BCP 47 tag. */
export const language = document.documentElement.lang || "en";
