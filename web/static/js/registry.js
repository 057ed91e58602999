// The list of unregistered devices lives; it stays as it is while somebody reads or is about to act in it.

const inUse = (list) => list.querySelector("details[open]") || list.contains(document.activeElement);
let missed = false;

document.body.addEventListener("htmx:beforeSwap", (event) => {
  const list = event.detail.target;
  if (list.id !== "strangers" || !inUse(list)) return;
  event.detail.shouldSwap = false;
  missed = true;
});

function resume() {
  const list = document.querySelector("#strangers");
  if (!missed || inUse(list)) return;
  missed = false;
  window.htmx.trigger(list.parentElement, "missed");
}
document.body.addEventListener("toggle", resume, true);
document.body.addEventListener("focusout", () => setTimeout(resume)); // the focus arrives after it left
