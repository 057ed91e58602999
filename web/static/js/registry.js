// The list of unregistered devices lives; it stays as it is while somebody reads or is about to act in it.
document.body.addEventListener("htmx:beforeSwap", (event) => {
  const list = event.detail.target;
  if (list.id !== "strangers") return;
  if (list.querySelector("details[open]") || list.contains(document.activeElement)) event.detail.shouldSwap = false;
});
