// What every page does beyond htmx: says when it is disconnected, shows refusals, keeps relative times true.
"use strict";
(() => {
  const body = document.body;
  const status = document.getElementById("live-status");
  const toast = document.getElementById("toast");

  const disconnected = (is) => {
    body.dataset.live = is ? "lost" : "on";
    status.hidden = !is;
    status.textContent = is ? body.dataset.disconnected : "";
  };
  body.addEventListener("htmx:sseOpen", () => disconnected(false));
  body.addEventListener("htmx:sseError", () => disconnected(true));
  addEventListener("offline", () => disconnected(true));
  addEventListener("online", () => { if (!document.querySelector("[sse-connect]")) disconnected(false); });

  let fading;
  const say = (fill) => {
    clearTimeout(fading);
    toast.replaceChildren();
    fill();
    fading = setTimeout(() => toast.replaceChildren(), 10000);
  };
  // Refusals arrive as a part of HTML made by our own templates.
  body.addEventListener("htmx:responseError", (event) => {
    const text = event.detail.xhr.responseText;
    say(() => {
      if (text) toast.innerHTML = text;
      else toast.textContent = body.dataset.unsent;
    });
  });
  body.addEventListener("htmx:sendError", () => say(() => { toast.textContent = body.dataset.unsent; }));

  // The server says times in words once; the words go on being true here.
  const words = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "always" });
  const steps = [["day", 86400], ["hour", 3600], ["minute", 60]];
  const ahead = Date.parse(body.dataset.now) - Date.now(); // the house's clock leads, not the phone's
  const tick = () => {
    for (const element of document.querySelectorAll("time[data-relative]")) {
      const seconds = (Date.parse(element.dateTime) - Date.now() - ahead) / 1000;
      const step = steps.find(([, size]) => Math.abs(seconds) >= size);
      if (step && Math.abs(seconds) < 7 * 86400) element.textContent = words.format(Math.trunc(seconds / step[1]), step[0]);
    }
  };
  setInterval(tick, 20000);

  addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
    if (event.target.closest("[data-print]")) print();
  });
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });
  // On paper everything is open.
  addEventListener("beforeprint", () => {
    for (const part of document.querySelectorAll("main details[data-paper]")) part.open = true;
  });
})();
