// Saves the editor's text a second after the last key. Until the server has it, a copy lies in this browser.
const DELAY_MS = 1000;
const RETRY_MS = 8000;
const form = document.querySelector("form[data-autosave]");
const key = `gradlab-draft/${form?.dataset.draftKey}`;
const state = form?.querySelector("[data-save-state]");
let timer = 0;
let pending = false;
let sent = "";
let lastPosted = "";

const fields = () => [...form.querySelectorAll("textarea[name^='cell-']")];
const texts = () => Object.fromEntries(fields().map((field) => [field.name.slice(5), field.value]));
const clock = (moment) => moment.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

function show(kind, words) {
  state.dataset.state = kind;
  state.querySelector("[data-save-text]").textContent = words;
}

function backup(value) {
  try {
    if (value) localStorage.setItem(key, JSON.stringify(value));
    else localStorage.removeItem(key);
  } catch {
    // storage is full or blocked: the server's copy is the only one
  }
}

function stored() {
  try {
    return JSON.parse(localStorage.getItem(key) ?? "null");
  } catch {
    return null;
  }
}

function later(wait) {
  clearTimeout(timer);
  timer = setTimeout(save, wait);
}

async function save() {
  if (pending) return later(DELAY_MS);
  pending = true;
  const data = new FormData(form);
  sent = JSON.stringify(texts());
  show("saving", "Saving…");
  try {
    const response = await fetch(form.dataset.autosave, { method: "POST", body: data, headers: { Accept: "application/json" } });
    if (response.status === 409) conflict(await response.json());
    else if (response.redirected || response.status === 403) show("offline", "You are signed out. Your text is kept in this browser; sign in in another tab.");
    else if (!response.ok) throw new Error(String(response.status));
    else saved(await response.json());
  } catch {
    show("offline", "No connection. Your text is kept in this browser.");
    later(RETRY_MS);
  } finally {
    pending = false;
  }
}

function saved({ revision }) {
  form.elements.revision.value = revision;
  show("saved", `Saved ${clock(new Date())}`);
  if (JSON.stringify(texts()) === sent) backup(null);
  else later(DELAY_MS);
}

// Another window saved first. Text that is the same is no conflict; otherwise both are kept and the person decides.
function conflict({ revision, sources }) {
  form.elements.revision.value = revision;
  const mine = texts();
  const differ = fields().filter((field) => sources[field.name.slice(5)] !== undefined && sources[field.name.slice(5)] !== field.value);
  const theirs = JSON.stringify(Object.fromEntries(fields().map((field) => [field.name.slice(5), sources[field.name.slice(5)]])));
  if (!differ.length || theirs === lastPosted) return later(0); // the other window was this one's Run checks
  show("conflict", "Changed in another window.");
  document.getElementById("conflict")?.remove();
  const notice = document.createElement("div");
  notice.className = "notice notice-warn";
  notice.id = "conflict";
  notice.setAttribute("role", "alert");
  const words = document.createElement("p");
  words.textContent = `${differ.length === 1 ? "One cell was" : `${differ.length} cells were`} changed in another window. Both texts are kept until you choose.`;
  notice.append(words, choice("Keep this text", () => later(0)), choice("Take the other", () => take(differ, sources, mine)));
  state.parentElement.prepend(notice);
}

function choice(title, act) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "btn btn-small";
  button.textContent = title;
  button.addEventListener("click", () => {
    document.getElementById("conflict").remove();
    act();
  });
  return button;
}

function put(field, text) {
  field.value = text;
  field.dispatchEvent(new Event("gradlab:replaced"));
}

function take(differ, sources, mine) {
  backup({ sources: mine, put_aside: true });
  for (const field of differ) put(field, sources[field.name.slice(5)]);
  later(0);
}

if (form) {
  const left = stored();
  if (left?.sources && !left.put_aside) {
    for (const field of fields()) {
      const text = left.sources[field.name.slice(5)];
      if (text !== undefined && text !== field.value) put(field, text);
    }
    show("saving", "Brought back what was not saved yet");
    later(DELAY_MS);
  }
  form.addEventListener("input", () => {
    backup({ sources: texts() });
    show("saving", "Not saved yet");
    later(DELAY_MS);
  });
  form.addEventListener("htmx:beforeRequest", () => (lastPosted = JSON.stringify(texts())));
  window.addEventListener("online", () => later(0));
}
