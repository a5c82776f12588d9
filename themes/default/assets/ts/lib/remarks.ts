// Remarks on lines that wait for their review: kept by the browser, over reloads and the end of a session.

export interface Remark {
  id: string;
  path: string;
  side: string;
  start_line: number;
  end_line: number;
  content: string;
}

const name = (api: string): string => `hub:remarks:${api}`;

export function remarksOf(api: string): Remark[] {
  try {
    return JSON.parse(localStorage.getItem(name(api)) ?? "[]") as Remark[];
  } catch {
    return [];
  }
}

export function addRemark(api: string, remark: Remark): void {
  localStorage.setItem(name(api), JSON.stringify([...remarksOf(api), remark]));
}

export function dropRemark(api: string, id: string): void {
  localStorage.setItem(name(api), JSON.stringify(remarksOf(api).filter((one) => one.id !== id)));
}

export function forgetRemarks(api: string): void {
  localStorage.removeItem(name(api));
}
