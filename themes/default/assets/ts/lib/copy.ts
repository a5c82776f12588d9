// Buttons that copy: data-copy is the text, data-copy-from the id of an element whose text it is.
import { on } from "./dom";
import { text } from "./texts";
import { tell } from "./toasts";

on("click", "[data-copy], [data-copy-from]", (button) => {
  const from = button.dataset["copyFrom"];
  const source = from ? document.getElementById(from) : null;
  const words = source
    ? source instanceof HTMLInputElement
      ? source.value
      : source.textContent
    : button.dataset["copy"];
  navigator.clipboard.writeText(words ?? "").then(
    () => tell(text("Copied.")),
    () => tell(text("This browser does not let the page copy. Mark the text and copy it yourself.")),
  );
});
