// Dialogs that come from the server, <dialog data-show="its address">: shown at once, and gone when they are closed.
// Without scripts they stand open in the page. While one is open, the address bar names it.
import { onEach, showDialog } from "./dom";

onEach<HTMLDialogElement>("dialog[data-show]", (dialog) => {
  dialog.open = false;
  showDialog(dialog);
  const url = new URL(dialog.dataset["show"] ?? "", location.href);
  const isHere = url.pathname === location.pathname;
  if (isHere) history.replaceState(history.state, "", url);
  dialog.addEventListener("close", () => {
    // A new one may have come in its place.
    if (!dialog.isConnected) return;
    dialog.remove();
    if (!isHere) return;
    url.search = "";
    history.replaceState(history.state, "", url);
  });
});
