// The desk's small conveniences; every page works without them.

for (const select of document.querySelectorAll("select[data-go]")) {
  select.addEventListener("change", () => select.form.requestSubmit());
  select.form.querySelector("[data-go-button]").hidden = true;
}

// Enter in the search searches; it does not send the whole form.
document.querySelector("#search")?.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.isComposing) return;
  event.preventDefault();
  window.htmx.trigger(event.target, "search");
});

// One tap, one move.
for (const form of document.querySelectorAll("form[data-once]")) {
  form.addEventListener("submit", (event) => {
    if (event.submitter?.hasAttribute("formaction")) return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
    event.submitter?.setAttribute("aria-busy", "true");
  });
}
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

document.querySelector("#faults")?.focus();

// A link may lead to a part that is folded in.
const part = document.getElementById(location.hash.slice(1));
if (part?.matches("details")) {
  part.open = true;
  part.scrollIntoView();
}
