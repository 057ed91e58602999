// Deadlines in words, counting down. The server's clock decides: every mark carries the moment it was
// rendered (data-now), so a phone with a wrong clock still counts right. The server writes the same
// words; without this script they stand still but are true.

const WORDS = {
  zh: { day: "天", hour: "小时", minute: "分钟", none: "不到 1 分钟", gap: " " },
  en: { day: "d", hour: "h", minute: "min", none: "under 1 min", gap: " " },
};
const SOON = 15 * 60;

/** "1 小时 5 分钟", "12 min": at most two units, never a zero one. */
export function duration(seconds, language) {
  const words = WORDS[language] ?? WORDS.en;
  const minutes = Math.floor(seconds / 60);
  const parts = [
    [Math.floor(minutes / 1440), words.day],
    [Math.floor((minutes % 1440) / 60), words.hour],
    [minutes % 60, words.minute],
  ].filter(([count]) => count > 0);
  if (parts.length === 0) return words.none;
  return parts
    .slice(0, 2)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(words.gap);
}

/** "1:42": for an offer, where seconds matter. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

function refresh(mark, language) {
  const seconds = (mark.due - (Date.now() - mark.skew)) / 1000;
  const { element } = mark;
  const left = Math.abs(seconds);
  const words = element.dataset.style === "clock" && seconds > 0 ? clock(left) : duration(left, language);
  const pattern = seconds >= 0 ? element.dataset.left : element.dataset.late;
  const text = pattern.replace("{}", words);
  if (element.textContent !== text) element.textContent = text;
  const holder = element.closest("[data-urgency]");
  const urgency = seconds < 0 ? "late" : seconds <= SOON ? "soon" : "calm";
  if (holder && holder.dataset.urgency !== urgency) holder.dataset.urgency = urgency;
}

const seen = new WeakMap();

/** A mark met for the first time fixes its own skew; htmx may swap marks in at any moment. */
function markOf(element) {
  let mark = seen.get(element);
  if (!mark) {
    const due = Date.parse(element.getAttribute("datetime"));
    mark = { element, due, skew: Date.now() - Date.parse(element.dataset.now) };
    seen.set(element, mark);
  }
  return mark;
}

function tick() {
  const language = document.documentElement.lang.startsWith("zh") ? "zh" : "en";
  for (const element of document.querySelectorAll("time[data-left]")) refresh(markOf(element), language);
}

tick();
setInterval(tick, 1000);
document.addEventListener("visibilitychange", tick);
document.body.addEventListener("htmx:afterSettle", tick);
