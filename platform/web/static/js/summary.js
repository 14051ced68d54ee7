// A summary while it is written: words are counted, previews follow, and what an ended page could not save is still shown.
import { drop, found } from "./leftovers.js";
import { renderMaths } from "./maths.js";

const PAUSE_MS = 400;
const form = document.querySelector("form[data-summary]");
const leftover = document.querySelector("[data-leftover]");
const count = (text) => text.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word)).length;
const plural = (number) => `${number} word${number === 1 ? "" : "s"}`;
const fields = () => [...form.querySelectorAll("textarea[name^='cell-']")];

function tally() {
  let all = 0;
  for (const field of fields()) {
    const words = count(field.value);
    all += words;
    document.querySelector(`[data-words-of="${CSS.escape(field.name)}"]`).textContent = plural(words);
  }
  const { from, to } = form.dataset;
  for (const total of document.querySelectorAll("[data-words]")) {
    total.textContent = plural(all);
    total.dataset.fits = all < Number(from) ? "short" : all > Number(to) ? "long" : "yes";
  }
  for (const written of document.querySelectorAll("[data-written]")) written.textContent = fields().filter((field) => field.value.trim()).length;
}

async function refresh(details) {
  const field = form.elements[details.dataset.preview];
  const body = details.querySelector("[data-preview-body]");
  const asked = field.value;
  if (!details.open || details.dataset.shown === asked) return;
  const data = new FormData();
  data.set("text", asked);
  data.set("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
  try {
    const response = await fetch(form.dataset.previewUrl, { method: "POST", body: data, headers: { Accept: "text/html" } });
    if (response.redirected || !(response.ok || response.status === 422)) throw new Error(String(response.status));
    const html = await response.text();
    if (field.value !== asked) return; // a later one is on its way
    details.dataset.shown = asked;
    body.innerHTML = html;
    await renderMaths(body);
  } catch {
    body.textContent = "No preview now: there is no connection, or you are signed out. Your text is kept.";
  }
}

function follow(details) {
  let timer = 0;
  const field = form.elements[details.dataset.preview];
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(() => refresh(details), PAUSE_MS);
  };
  field.addEventListener("input", soon);
  field.addEventListener("gradlab:replaced", soon);
  details.addEventListener("toggle", () => refresh(details));
}

if (form) {
  form.addEventListener("input", tally);
  for (const field of fields()) field.addEventListener("gradlab:replaced", tally);
  for (const details of form.querySelectorAll("[data-preview]")) follow(details);
  tally();
}

// The reading is not accepted any more: text that never reached the server can be read and copied, and nothing else.
if (leftover) {
  const [left] = found(leftover.dataset.leftover);
  const lost = left && Object.values(left.sources).filter((text) => text.trim()).join("\n\n");
  if (lost) {
    leftover.querySelector("pre").textContent = lost;
    leftover.hidden = false;
    leftover.querySelector("button").addEventListener("click", () => {
      drop(left.name);
      leftover.hidden = true;
    });
  }
}
