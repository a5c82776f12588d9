// Ids in what users wrote begin with "user-content-"; an address that names one without it is meant, too.
import { onEach } from "./dom";

function reach(): void {
  const name = decodeURIComponent(location.hash.slice(1));
  if (name && !document.getElementById(name)) document.getElementById(`user-content-${name}`)?.scrollIntoView();
}

let isLoaded = false;

onEach(".markdown", (element) => {
  reach();
  if (isLoaded || !element.querySelector("pre, .maths")) return;
  isLoaded = true;
  void import("./markdown");
});
window.addEventListener("hashchange", reach);
