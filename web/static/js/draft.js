// What a technician typed survives a locked phone, a reload and a live update: kept on the device under
// the order's number until the server has taken it. Files and secrets are never kept.

const PREFIX = "draft:";
const WEEK = 7 * 24 * 3600 * 1000;
const KEPT = new Set(["INPUT", "SELECT", "TEXTAREA"]);

function fields(form) {
  return [...form.elements].filter(
    (field) => KEPT.has(field.tagName) && field.name && !["hidden", "file", "password"].includes(field.type),
  );
}

function read(key) {
  try {
    return JSON.parse(localStorage.getItem(key) ?? "null");
  } catch {
    return null;
  }
}

function keep(key, form) {
  const values = {};
  for (const field of fields(form)) {
    if (field.type === "radio" || field.type === "checkbox") {
      if (field.checked) (values[field.name] ??= []).push(field.value);
    } else values[field.name] = [field.value];
  }
  try {
    localStorage.setItem(key, JSON.stringify({ at: Date.now(), values }));
  } catch {
    /* A full or forbidden store only means that nothing is kept; the form itself still works. */
  }
}

function restore(key, form) {
  const draft = read(key);
  if (!draft) return;
  for (const field of fields(form)) {
    const values = draft.values[field.name];
    if (field.type === "radio" || field.type === "checkbox") field.checked = (values ?? []).includes(field.value);
    else if (values && field.value === "") field.value = values[0];
  }
}

function forgetOld() {
  for (const key of Object.keys(localStorage)) {
    if (key.startsWith(PREFIX) && Date.now() - (read(key)?.at ?? 0) > WEEK) localStorage.removeItem(key);
  }
}

export function keepDrafts(root = document) {
  for (const done of root.querySelectorAll("[data-draft-done]")) localStorage.removeItem(PREFIX + done.dataset.draftDone);
  for (const form of root.querySelectorAll("form[data-draft]")) {
    const key = PREFIX + form.dataset.draft;
    // A form that came back with mistakes carries what was typed; that is newer than the draft.
    if (!("returned" in form.dataset)) restore(key, form);
    form.addEventListener("input", () => keep(key, form));
  }
}

try {
  forgetOld();
  keepDrafts();
} catch {
  /* Private browsing may refuse storage: the page works without drafts. */
}
