// The page of one prompt: which version is to be named.
import { on } from "./lib/dom";

on("click", "[data-dialog=name-version]", (button) => {
  const field = document.querySelector<HTMLInputElement>("#name-version [name=ref]");
  if (field) field.value = button.dataset["ref"] ?? "";
});
