// Texts and bytes as the API takes them.

/** Bytes in base64. */
export function toBase64(bytes: Uint8Array): string {
  let binary = "";
  // As many at once as a call takes arguments.
  for (let at = 0; at < bytes.length; at += 0x8000) binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(binary);
}

/** The text that base64 stands for. */
export function textOfBase64(encoded: string): string {
  return new TextDecoder().decode(Uint8Array.from(atob(encoded), (char) => char.charCodeAt(0)));
}

/** A path as a part of an address: its slashes stay. */
export const quotePath = (path: string): string => encodeURIComponent(path).replaceAll("%2F", "/");
