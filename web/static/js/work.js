// One tap, one move: a form that is under way is not sent again (the server would answer a repeat anyway),
// and it carries the phone's own clock. Values are compared with their range while they are typed.

function once(form) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    const at = form.querySelector("input[name=device_at]");
    if (at) at.value = new Date().toISOString();
    event.submitter?.setAttribute("aria-busy", "true");
  });
}

function outside(check) {
  const { min, max, expected } = check.dataset;
  if (expected !== undefined) {
    const chosen = check.querySelector("input[type=radio]:checked");
    return chosen !== null && chosen.value !== expected;
  }
  const field = check.querySelector(".measure input");
  if (!field || field.value.trim() === "") return false;
  const value = Number(field.value.replace(",", "."));
  return Number.isNaN(value) || (min !== "" && value < Number(min)) || (max !== "" && value > Number(max));
}

function judge(check) {
  check.classList.toggle("outside", outside(check));
}

// A remark is only in the way until it is needed: it opens by itself for a value that is not as it should be.
function foldRemark(check) {
  const button = check.querySelector("[data-remark]");
  const field = check.querySelector(".remark input");
  const fold = () => {
    const needed = check.classList.contains("outside") || check.classList.contains("wrong") || field.value !== "";
    check.classList.toggle("folded", !needed && document.activeElement !== field);
    button.hidden = !check.classList.contains("folded");
  };
  button.addEventListener("click", () => {
    check.classList.remove("folded");
    button.hidden = true;
    field.focus();
  });
  check.addEventListener("input", fold);
  fold();
}

function watch(check) {
  check.addEventListener("input", () => judge(check));
  judge(check);
  foldRemark(check);
}

function anotherPart(button) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const rows = document.querySelectorAll(".parts .part");
    const row = rows[rows.length - 1].cloneNode(true);
    for (const field of row.querySelectorAll("input")) {
      field.value = "";
      field.setAttribute("aria-label", field.getAttribute("aria-label").replace(/\d+$/, String(rows.length + 1)));
    }
    rows[rows.length - 1].after(row);
    row.querySelector("input").focus();
  });
}

for (const form of document.querySelectorAll("form[data-once]")) once(form);
for (const check of document.querySelectorAll(".check")) watch(check);
for (const button of document.querySelectorAll("[data-more-parts]")) anotherPart(button);
document.querySelector("#faults")?.focus();

// A page kept by the browser's back button must be able to send again.
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});
