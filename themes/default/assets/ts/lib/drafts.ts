// Drafts of forms that are sent by other scripts than forms.ts, which keeps them under this name.

/** What was typed into a form is sent, or not wanted any more. */
export function forgetDraft(form: HTMLFormElement): void {
  sessionStorage.removeItem(`hub:draft:${location.pathname}:${form.dataset["draft"]}`);
}
