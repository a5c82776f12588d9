// The uploader over another page: what was dropped on the list of files goes into its folder.
import { make } from "./dom";
import { text } from "./texts";
import { tellError } from "./toasts";
import { Dropped } from "./upload/picked";

/** Open the uploader for what was dropped, or for files. address: of the page of the uploader for the folder.
 *
 * To be called while the drop is handled: afterwards the browser has forgotten what it was. */
export function startUpload(source: DataTransfer | File[], address: string): void {
  const dropped = source instanceof DataTransfer ? new Dropped(source) : undefined;
  const open = async () => {
    const answer = await fetch(address, { headers: { "HX-Request": "true", Accept: "text/html" } });
    if (!answer.ok) {
      // The page says why not.
      location.assign(address);
      return;
    }
    const dialog = make("dialog", { class: "wide", "aria-label": text("Upload"), "data-stay": "" });
    const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
    dialog.append(...parsed.body.childNodes);
    document.body.append(dialog);
    const { Panel } = await import("./upload/panel");
    const root = dialog.querySelector<HTMLElement>("[data-uploader]");
    if (!root) return;
    const panel = new Panel(root);
    dialog.addEventListener("close", () => {
      panel.close();
      dialog.remove();
    });
    dialog.showModal();
    const { fromFiles } = await import("./upload/picked");
    if (dropped) await panel.add(await dropped.files(), await dropped.keepers());
    else await panel.add(fromFiles(source as File[]));
  };
  open().catch(tellError);
}
