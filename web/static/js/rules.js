// Checks a rule while it is typed and shows each mistake beside its line; the form works without it, too.

const form = document.querySelector("form[data-check]");
const editor = form.querySelector(".code-edit textarea");
const gutter = form.querySelector(".code-lines");
const word = form.querySelector(".check-word");
const spoken = form.querySelector(".rule-said");
const token = document.querySelector('meta[name="csrf-token"]').content;
const PAUSE = 400;
let waiting;
let asked = 0;

function number(wrong) {
  const lines = editor.value.split("\n").length;
  gutter.replaceChildren();
  for (let line = 1; line <= lines; line += 1) {
    const mark = document.createElement(wrong.has(line) ? "b" : "span");
    mark.textContent = ` ${line} `;
    gutter.append(mark, "\n");
  }
  gutter.scrollTop = editor.scrollTop;
}

function show(problems) {
  const wrong = new Set();
  for (const list of form.querySelectorAll(".problems")) {
    const area = list.dataset.area;
    const mine = problems.filter((each) => each.area === area);
    list.replaceChildren(
      ...mine.map((each) => {
        const item = document.createElement("li");
        const line = area === "logic" || area === "file" ? `${form.dataset.line} ${each.line}:${each.column} ` : "";
        item.textContent = `${line}${each.message}`;
        return item;
      }),
    );
    for (const each of mine) if (area === "logic" || editor.getAttribute("aria-describedby") === `p-${area}`) wrong.add(each.line);
  }
  number(wrong);
}

async function check() {
  asked += 1;
  const mine = asked;
  const response = await fetch(form.dataset.check, {
    method: "POST",
    headers: { "X-CSRF-Token": token },
    body: new URLSearchParams(new FormData(form)),
  });
  if (!response.ok || mine !== asked) return;
  const { problems, overtaken, words } = await response.json();
  show(problems);
  if (spoken && words) spoken.innerHTML = words;
  word.textContent = overtaken || (problems.length ? String(problems.length) : form.dataset.good);
  form.dataset.checked = String(mine);
}

number(new Set());
editor.addEventListener("scroll", () => {
  gutter.scrollTop = editor.scrollTop;
});
form.addEventListener("input", () => {
  number(new Set());
  clearTimeout(waiting);
  waiting = setTimeout(() => check().catch(() => {}), PAUSE);
});
// A tab indents; Escape and then Tab leaves the field, as everywhere.
let leaving = false;
editor.addEventListener("keydown", (event) => {
  if (event.key === "Escape") leaving = true;
  else if (event.key === "Tab" && !event.shiftKey && !leaving) {
    event.preventDefault();
    editor.setRangeText("  ", editor.selectionStart, editor.selectionEnd, "end");
    form.dispatchEvent(new Event("input"));
  } else leaving = false;
});
