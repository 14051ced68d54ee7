// The desk of the review queue: keys for levels, items and comments; the lease; and a copy of what is typed until it is sent.
import { isTyping } from "./keys.js";

const desk = document.querySelector("[data-desk]");
const form = document.querySelector("form[data-marks]");
const items = [...(form?.querySelectorAll("[data-item]") ?? [])];
const kept = `gradlab-marks/${desk?.dataset.desk}`;
let at = 0;
let sending = false;

// items
const control = (item) => item.querySelector(".desk-levels input:checked") ?? item.querySelector(".desk-levels input, .desk-points");
const isMarked = (item) => Boolean(item.querySelector(".desk-levels input:checked") ?? item.querySelector(".desk-points")?.value.trim());

function mark(index) {
  at = Math.min(Math.max(index, 0), items.length - 1);
  for (const [place, item] of items.entries()) {
    item.classList.toggle("is-now", place === at);
    document.getElementById(`text-${item.dataset.item}`)?.classList.toggle("is-now", place === at);
  }
}

function go(index) {
  mark(index);
  const item = items[at];
  control(item)?.focus({ preventScroll: true });
  item.scrollIntoView({ block: "nearest" });
  document.getElementById(`text-${item.dataset.item}`)?.scrollIntoView({ block: "nearest" });
}

function give(key) {
  const input = items[at]?.querySelector(`.desk-levels input[data-key="${CSS.escape(key)}"]`);
  if (!input) return false;
  input.checked = true;
  input.dispatchEvent(new Event("change", { bubbles: true }));
  go(at + 1);
  return true;
}

function total() {
  const given = [...form.querySelectorAll(".desk-levels input:checked, .desk-points")].map((input) => Number(input.value) || 0);
  const sum = given.reduce((one, other) => one + other, 0);
  form.querySelector("[data-total]").textContent = String(Math.round(sum * 100) / 100);
}

// comments
function comment() {
  const item = items[at];
  if (!item) return;
  item.querySelector(".desk-note").open = true;
  (item.querySelector(".desk-saved") ?? item.querySelector("textarea")).focus();
}

function insert(item, text) {
  const field = item.querySelector("textarea");
  field.value = field.value.trim() ? `${field.value.trimEnd()}\n${text}` : text;
  field.focus();
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

function inSaved(event, group) {
  const chosen = /^[1-9]$/.test(event.key) && group.querySelectorAll("input")[Number(event.key) - 1];
  const item = group.closest("[data-item]");
  if (chosen) insert(item, chosen.value);
  else if (event.key === "c" || event.key === "Enter") item.querySelector("textarea").focus();
  else if (event.key === "Escape") go(at);
  else return;
  event.preventDefault();
  event.stopImmediatePropagation();
}

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (sending) return event.stopImmediatePropagation();
  if (event.key === "Escape" && event.target.matches?.("textarea, input")) return go(at);
  if (isTyping(event)) return;
  const group = event.target.closest?.(".desk-saved");
  if (group) return inSaved(event, group);
  const handled =
    event.key === "ArrowDown" || event.key === "ArrowUp" ? (go(at + (event.key === "ArrowDown" ? 1 : -1)), true) : /^\d$/.test(event.key) && give(event.key);
  if (handled) event.preventDefault();
}

// the copy of what is typed
const fields = () => [...form.elements].filter((field) => field.name && field.type !== "hidden" && !field.name.startsWith("saved-"));
const typed = () => fields().map((field) => (/radio|checkbox/.test(field.type) ? field.checked : field.value));

function keep(value) {
  try {
    if (value) sessionStorage.setItem(kept, JSON.stringify({ revision: form.elements.revision.value, typed: value }));
    else sessionStorage.removeItem(kept);
  } catch {
    // storage is full or blocked: the page is the only copy
  }
}

function bringBack() {
  let left = null;
  try {
    left = JSON.parse(sessionStorage.getItem(kept) ?? "null");
  } catch {
    return;
  }
  const listed = fields();
  if (left?.typed?.length !== listed.length) return;
  // what somebody saved meanwhile is not overwritten unseen: the old revision makes saving show both
  const changed = left.revision !== form.elements.revision.value;
  form.elements.revision.value = left.revision;
  for (const [place, field] of listed.entries()) {
    if (/radio|checkbox/.test(field.type)) field.checked = left.typed[place];
    else field.value = left.typed[place];
  }
  for (const note of form.querySelectorAll(".desk-note")) note.open = Boolean(note.querySelector("textarea").value);
  const words = changed ? "What you had not saved is back. The marks were changed meanwhile; when you save, the page shows both." : "What you had not saved is back.";
  const drop = document.createElement("button");
  drop.type = "button";
  drop.className = "btn btn-small";
  drop.textContent = "Drop it";
  drop.addEventListener("click", () => {
    keep(null);
    location.reload();
  });
  notice(document.querySelector("[data-kept]"), words, drop);
}

// the lease
function notice(place, words, ...more) {
  const made = document.querySelector("template[data-notice]").content.cloneNode(true);
  made.querySelector("p").textContent = words;
  made.firstElementChild.append(...more);
  place.replaceChildren(made);
}

function tell(words) {
  const place = document.querySelector("[data-presence]");
  if (place.textContent.trim() === words) return;
  if (words) notice(place, words);
  else place.replaceChildren();
}

async function renew() {
  if (sending) return;
  const body = new FormData();
  body.append("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
  try {
    const response = await fetch(desk.dataset.renew, { method: "POST", body, headers: { Accept: "application/json" } });
    if (response.redirected || response.status === 403) return tell("You are signed out. What you typed is kept in this window: sign in in another tab, then save.");
    if (response.status === 404) return tell("This submission has left the queue: its student can hand in again or has left the course.");
    if (!response.ok) return;
    const { held, graded, reader } = await response.json();
    if (held) tell("");
    else if (graded) tell("Another grader has graded this one since you opened it. When you save, the page shows both.");
    else if (reader) tell(`${reader} reads this one now. You may read along; if both of you save, the page shows both.`);
  } catch {
    // offline for a moment: ask again
  }
}

if (desk && form) {
  if (!("typed" in desk.dataset)) bringBack();
  else if (desk.dataset.typed === "again") keep(typed());
  if (items.length) {
    total();
    const first = Math.max(items.findIndex((item) => !isMarked(item)), 0);
    mark(first);
    if (!document.querySelector("[data-met]")) control(items[first])?.focus({ preventScroll: true });
  }
  // before the page's own keys, which then see a digit only where it is no level
  window.addEventListener("keydown", keys, true);
  form.addEventListener("focusin", (event) => {
    const item = event.target.closest("[data-item]");
    if (item) mark(items.indexOf(item));
  });
  form.addEventListener("input", () => keep(typed()));
  form.addEventListener("change", (event) => {
    if (event.target.name?.startsWith("saved-")) {
      event.target.checked = false;
      insert(event.target.closest("[data-item]"), event.target.value);
    }
    total();
    keep(typed());
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit(form.querySelector(".desk-save"));
  });
  form.querySelector("[data-comment]")?.addEventListener("click", comment);
  document.querySelector("[data-drop]")?.addEventListener("click", () => keep(null));
  document.addEventListener("submit", (event) => {
    if (event.target.method === "dialog") return;
    if (sending) return event.preventDefault();
    sending = true;
    if (event.target === form) keep(null);
  });
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) sending = false;
  });
  const met = document.querySelector("[data-met]");
  if (met) {
    met.close();
    met.showModal();
  }
  if (desk.dataset.renew) {
    renew();
    setInterval(renew, Number(desk.dataset.renewEvery) * 1000);
  }
}
