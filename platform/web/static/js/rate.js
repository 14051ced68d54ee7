// Rating a talk on a phone. What is typed lies in this browser until the server has it; a save that finds no network is sent again.
import { drop, forget, found, keep, leave } from "./leftovers.js";

const PATIENCE_MS = 15000;
const RETRY_MS = [2000, 4000, 8000, 15000];
const { key } = document.querySelector("script[data-rate-script]").dataset;
const form = document.querySelector("form[data-rate]");
const leftover = document.querySelector("[data-leftover]");
const refusal = document.getElementById("refusal");
const state = form?.querySelector("[data-save-state]");
const label = form?.querySelector("[data-save-label]");
let pending = false;
let wanted = false;
let failures = 0;
let timer = 0;

// every answer that a person gives; not the token, not the revision
const names = () => [...new Set([...form.elements].filter((field) => field.matches("input[type=radio], textarea")).map((field) => field.name))];
const answers = () => Object.fromEntries(names().map((name) => [name, form.elements[name].value]));
const same = (one, other) => Object.keys(one).every((name) => (one[name] ?? "") === (other[name] ?? ""));
const clock = (moment) => moment.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

function say(kind, words) {
  state.dataset.state = kind;
  state.textContent = words;
}

function refuse(words) {
  refusal.hidden = !words;
  const line = document.createElement("p");
  line.textContent = words;
  refusal.querySelector("[data-refusal]").replaceChildren(...(words ? [line] : []));
  if (words) refusal.scrollIntoView({ block: "nearest" });
}

function backup() {
  return keep(key, { sources: answers(), revision: Number(form.elements.revision.value) });
}

function again() {
  clearTimeout(timer);
  timer = setTimeout(save, RETRY_MS[Math.min(failures++, RETRY_MS.length - 1)]);
}

// One request at a time; taps meanwhile are one more after it, and only if the answers differ by then.
async function save() {
  clearTimeout(timer);
  if (pending) {
    wanted = true;
    return;
  }
  pending = true;
  wanted = false;
  const sent = answers();
  const safe = backup();
  say("saving", "Saving…");
  try {
    const response = await fetch(form.action, {
      method: "POST",
      body: new FormData(form),
      headers: { Accept: "application/json" },
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    if (response.redirected || response.status === 403) {
      say("offline", "Not saved: you are signed out. It is kept on this phone; sign in, and come back to this page.");
      return;
    }
    if (response.status === 404) {
      say("conflict", "Not saved: this talk is not there for you any more. It is kept on this phone; ask course staff.");
      return;
    }
    if (!response.ok && response.status !== 422) throw new Error(String(response.status));
    take(await response.json(), sent);
  } catch {
    say("offline", safe ? "Not saved yet: no connection. It is kept on this phone and sent again by itself." : "Not saved yet: no connection. Keep this page open; it is sent again by itself.");
    again();
  } finally {
    pending = false;
    if (wanted && !same(sent, answers())) save();
  }
}

function take({ revision, detail }, sent) {
  failures = 0;
  form.elements.revision.value = revision;
  refuse(detail ?? "");
  if (detail) {
    backup();
    say("conflict", "Not saved. It is kept on this phone.");
    return;
  }
  label.textContent = "Save the change";
  if (!same(sent, answers())) {
    say("changed", "Changed since it was saved");
    backup();
    return;
  }
  forget(key);
  say("saved", `Saved ${clock(new Date())}`);
}

function told(sources) {
  return Object.entries(sources).filter(([, value]) => value).map(([name, value]) => (name === "score" || name === "comment" ? value : `${name}: ${value}`)).join("\n");
}

function fill(sources) {
  for (const [name, value] of Object.entries(sources)) if (form.elements[name]) form.elements[name].value = value;
}

// What an earlier window could not save: to put back, or only to read where nothing is taken any more.
function offer() {
  const left = found(key).find(({ name, sources }) => (form ? !same(sources, answers()) : told(sources)) || drop(name));
  if (!left) return;
  leftover.querySelector("pre").textContent = told(left.sources);
  leftover.hidden = false;
  leftover.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if ("take" in button.dataset) {
      fill(left.sources);
      backup();
      say("changed", "Put back, and not saved yet");
    }
    drop(left.name);
    leftover.hidden = true;
  });
}

if (form) {
  form.addEventListener("input", () => {
    backup();
    say("changed", "Not saved yet");
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    failures = 0;
    save();
  });
  window.addEventListener("online", () => state.dataset.state === "offline" && save());
  window.addEventListener("pagehide", () => leave(key));
}
offer();
