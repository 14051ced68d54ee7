// Saves the text of a form a second after the last key. Until the server has it, a copy lies in this browser. Where another window
// saved first, both texts stand side by side, and the person chooses.
import { drop, forget, found, keep, leave, tab } from "./leftovers.js";

const DELAY_MS = 1000;
const RETRY_MS = 8000;
const PATIENCE_MS = 20000;
const form = document.querySelector("form[data-autosave]");
const key = form?.dataset.draftKey;
const state = form?.querySelector("[data-save-state]");
const template = document.querySelector("template[data-conflict-template]");
let timer = 0;
let pending = false;
let asking = false;
let safe = true;
let waiting = null;

const fields = () => [...form.querySelectorAll("textarea[name^='cell-']")];
const texts = () => Object.fromEntries(fields().map((field) => [field.name.slice(5), field.value]));
// the text of a field in `sources`; what is not named there is as it is here
const text = (sources, field) => sources[field.name.slice(5)] ?? field.value;
const same = (sources) => fields().every((field) => text(sources, field) === field.value);
const clock = (moment) => moment.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

function show(kind, words) {
  state.dataset.state = kind;
  state.querySelector("[data-save-text]").textContent = words;
}

function later(wait) {
  clearTimeout(timer);
  timer = setTimeout(save, wait);
}

function put(field, text) {
  field.value = text;
  field.dispatchEvent(new Event("gradlab:replaced"));
}

async function save() {
  if (asking) return;
  if (pending) return later(DELAY_MS);
  pending = true;
  const sent = texts();
  show("saving", "Saving…");
  try {
    const response = await fetch(form.dataset.autosave, {
      method: "POST",
      body: new FormData(form),
      headers: { Accept: "application/json" },
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    if (response.status === 409) conflict(await response.json());
    else if (response.status === 422) show("offline", (await response.json()).detail);
    else if (response.redirected || response.status === 403) show("offline", "You are signed out. Your text is kept in this browser; sign in in another tab.");
    else if (!response.ok) throw new Error(String(response.status));
    else saved(await response.json(), sent);
  } catch {
    show("offline", "No connection. Your text is kept in this browser.");
    later(RETRY_MS);
  } finally {
    pending = false;
    if (waiting) form.requestSubmit(waiting.submitter);
  }
}

function saved({ revision }, sent) {
  form.elements.revision.value = revision;
  show("saved", `Saved ${clock(new Date())}`);
  if (!same(sent)) return later(DELAY_MS);
  safe = true;
  forget(key);
}

function conflict({ revision, sources }) {
  if (same(sources)) {
    form.elements.revision.value = revision;
    return later(0);
  }
  show("conflict", "Changed in another window. Choose between the texts.");
  ask({ revision, theirs: sources, mine: (field) => field.value, words: ["In this window", "Saved in another window"] });
}

// Both texts of each field that differs, side by side; once all are chosen, the outcome is saved over `revision`.
function ask({ revision, theirs, mine, words, chosen = () => {} }) {
  asking = true;
  const differ = fields().filter((field) => text(theirs, field) !== mine(field));
  let open = differ.length;
  for (const field of differ) {
    panel(field, mine, text(theirs, field), words, () => {
      open -= 1;
      if (open) return;
      asking = false;
      form.elements.revision.value = revision;
      backup();
      chosen();
      later(0);
    });
  }
  document.getElementById("announce").textContent = state.textContent.trim();
  document.querySelector("[data-conflict]").scrollIntoView({ block: "center" });
}

function panel(field, mine, theirs, titles, done) {
  const element = template.content.firstElementChild.cloneNode(true);
  const [left, right] = element.querySelectorAll("[data-side]");
  for (const [side, title, words] of [[left, titles[0], mine(field)], [right, titles[1], theirs]]) {
    side.querySelector("[data-side-title]").textContent = title;
    side.querySelector("pre").textContent = words || "(empty)";
  }
  const beside = field.nextElementSibling?.matches("code-editor") ? field.nextElementSibling : field;
  beside.after(element);
  choose(element, field, mine, theirs, done);
}

function choose(element, field, mine, theirs, done) {
  const choices = { mine: () => mine(field), theirs: () => theirs, both: () => [mine(field), theirs].filter(Boolean).join("\n\n") };
  element.addEventListener("click", (event) => {
    const choice = event.target.closest("[data-choose]")?.dataset.choose;
    if (!choice) return;
    const taken = choices[choice]();
    if (taken !== field.value) put(field, taken);
    element.remove();
    done();
    field.focus();
  });
}

function backup() {
  safe = keep(key, { sources: texts(), revision: Number(form.elements.revision.value) });
}

// What an earlier window could not save. Nobody saved since: it is put back. Somebody did: both are shown.
function offer() {
  const left = found(key).find(({ name, sources }) => !same(sources) || drop(name));
  if (!left) return;
  const revision = Number(form.elements.revision.value);
  const kept = (field) => text(left.sources, field);
  if (left.revision !== revision) {
    show("conflict", "This browser has text that was not saved. Choose between the texts.");
    ask({ revision, theirs: texts(), mine: kept, words: ["Kept in this browser", "Saved since"], chosen: () => drop(left.name) });
    return;
  }
  for (const field of fields()) if (kept(field) !== field.value) put(field, kept(field));
  backup();
  drop(left.name);
  show("saving", "Brought back what was not saved yet");
  later(DELAY_MS);
}

if (form) {
  const hidden = form.elements.tab ?? form.appendChild(Object.assign(document.createElement("input"), { type: "hidden", name: "tab" }));
  hidden.value = tab;
  offer();
  // the server's own answer to a form that met a newer draft
  for (const element of form.querySelectorAll("[data-conflict][data-field]")) {
    const theirs = element.querySelector("[data-theirs]");
    const words = "empty" in theirs.dataset ? "" : theirs.textContent;
    choose(element, form.elements[element.dataset.field], (field) => field.value, words, () => later(0));
  }
  form.addEventListener("input", () => {
    backup();
    if (!asking) show("saving", "Not saved yet");
    later(DELAY_MS);
  });
  // a save that is under way ends first, so that what is handed in meets no newer draft of this same window
  form.addEventListener("submit", (event) => {
    clearTimeout(timer);
    waiting = pending ? { submitter: event.submitter } : null;
    if (pending) event.preventDefault();
    else safe = true;
  });
  window.addEventListener("online", () => later(0));
  window.addEventListener("pagehide", () => leave(key));
  window.addEventListener("beforeunload", (event) => {
    if (!safe) event.preventDefault();
  });
}
