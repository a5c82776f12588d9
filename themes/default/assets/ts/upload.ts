// The page of the uploader.
import { onEach } from "./lib/dom";
import { Panel } from "./lib/upload/panel";

onEach<HTMLElement>("[data-uploader]", (root) => {
  if (!root.closest("dialog")) new Panel(root);
});
