// Photos are made small on the phone before they travel: a basement has little signal. The picture is drawn
// into a canvas (which also drops its location), shown at once with its progress, and sent by itself.
// Without this script the same form sends the original file.

const EDGE = 1600;
const QUALITY = 0.82;

async function shrink(file) {
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  const scale = Math.min(1, EDGE / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", QUALITY));
  return { canvas, blob };
}

function send(form, blob, onProgress) {
  const body = new FormData();
  for (const field of form.querySelectorAll("input[type=hidden]")) body.append(field.name, field.value);
  body.set("request_id", crypto.randomUUID?.() ?? String(Math.random()).slice(2));
  body.append("photo", blob, "photo.jpg");
  return new Promise((done, fail) => {
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.setRequestHeader("HX-Request", "true");
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    });
    request.addEventListener("load", () =>
      request.status < 400 ? done(request.responseText) : fail(new Error(request.responseText)),
    );
    request.addEventListener("error", () => fail(new Error("")));
    request.send(body);
  });
}

function slot(strip, template, canvas) {
  const item = template.content.firstElementChild.cloneNode(true);
  canvas.className = "photo";
  item.prepend(canvas);
  strip.append(item);
  return item;
}

async function take(form, file) {
  const strip = form.querySelector("[data-strip]");
  const template = form.querySelector("template");
  const { canvas, blob } = await shrink(file);
  const item = slot(strip, template, canvas);
  const bar = item.querySelector("progress");
  const retry = item.querySelector("button");
  const attempt = async () => {
    retry.hidden = true;
    bar.hidden = false;
    item.querySelector("[role=status]").textContent = form.dataset.sending;
    try {
      const taken = await send(form, blob, (share) => {
        bar.value = share;
      });
      document.querySelector("#photos").outerHTML = taken;
      item.remove();
    } catch (problem) {
      bar.hidden = true;
      retry.hidden = false;
      item.querySelector("[role=status]").textContent = problem.message || form.dataset.failed;
    }
  };
  retry.addEventListener("click", attempt);
  await attempt();
}

async function takeAll(form, input) {
  const files = [...input.files];
  input.value = "";
  for (const file of files) {
    try {
      await take(form, file);
    } catch {
      form.querySelector("[data-trouble]").textContent = form.dataset.unreadable;
    }
  }
}

for (const form of document.querySelectorAll("form[data-photos]")) {
  const input = form.querySelector("input[type=file]");
  form.querySelector("button[type=submit]").hidden = true;
  input.addEventListener("change", () => takeAll(form, input));
}
