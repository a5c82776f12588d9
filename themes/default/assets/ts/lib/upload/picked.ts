// Files as people bring them: chosen, dropped, pasted; folders keep their structure.

/** A file and its path below the folder that it goes into. */
export interface Picked {
  path: string;
  file: File;
}

/** The files of a chooser, or of a paste. */
export function fromFiles(files: Iterable<File>): Picked[] {
  return [...files].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
}

type Source = FileSystemEntry | File;
type WithHandle = DataTransferItem & { getAsFileSystemHandle?: () => Promise<FileSystemHandle | null> };

/** What was dropped. It must be asked for while the drop is handled; reading it may take longer. */
export class Dropped {
  private readonly sources: Source[] = [];
  private readonly handles: Promise<FileSystemHandle | null>[] = [];

  constructor(transfer: DataTransfer) {
    for (const item of transfer.items) {
      if (item.kind !== "file") continue;
      const source = item.webkitGetAsEntry() ?? item.getAsFile();
      if (source) this.sources.push(source);
      const handle = (item as WithHandle).getAsFileSystemHandle?.();
      if (handle) this.handles.push(handle);
    }
    if (!this.sources.length) this.sources.push(...transfer.files);
  }

  async files(): Promise<Picked[]> {
    const found: Picked[] = [];
    for (const source of this.sources) {
      if (source instanceof File) found.push(...fromFiles([source]));
      else await walk(source, found);
    }
    return found;
  }

  /** By which the browser finds them again after a reload; empty where it does not. */
  async keepers(): Promise<FileSystemHandle[]> {
    const found = await Promise.all(this.handles.map((handle) => handle.catch(() => null)));
    return found.filter((handle) => handle !== null);
  }
}

async function walk(entry: FileSystemEntry, found: Picked[]): Promise<void> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    found.push({ path: entry.fullPath.replace(/^\/+/, ""), file });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    // A hundred at a time, until there are none.
    const entries = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (!entries.length) return;
    for (const inner of entries) await walk(inner, found);
  }
}

type Asking = FileSystemHandle & { requestPermission?: (how: { mode: "read" }) => Promise<PermissionState> };
type Folder = FileSystemDirectoryHandle & { values(): AsyncIterable<FileSystemHandle> };

/** The files behind handles that were kept, after the browser has asked whether it may; empty where it may not. */
export async function fromHandles(handles: FileSystemHandle[]): Promise<Picked[]> {
  const found: Picked[] = [];
  const visit = async (handle: FileSystemHandle, above: string): Promise<void> => {
    const path = `${above}${handle.name}`;
    if (handle.kind === "file") found.push({ path, file: await (handle as FileSystemFileHandle).getFile() });
    else for await (const inner of (handle as Folder).values()) await visit(inner, `${path}/`);
  };
  for (const handle of handles) {
    const state = await (handle as Asking).requestPermission?.({ mode: "read" });
    if (state === "granted") await visit(handle, "");
  }
  return found;
}
