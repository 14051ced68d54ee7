// Text that the server does not have yet: a copy a window, in this browser, until that window has saved it.
const PREFIX = "gradlab-draft/";
// another window that has typed this lately, and is still there, is probably about to save it
const FRESH_MS = 3000;

// names this window as long as it shows this page
export const tab = [...crypto.getRandomValues(new Uint8Array(10))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

// Whether the copy is safe; storage may be full or blocked.
export function keep(key, value) {
  try {
    localStorage.setItem(`${PREFIX}${key}/${tab}`, JSON.stringify({ ...value, at: Date.now() }));
    return true;
  } catch {
    return false;
  }
}

// This window goes: what it still keeps may be taken over at once.
export function leave(key) {
  const name = `${PREFIX}${key}/${tab}`;
  try {
    const kept = parse(localStorage.getItem(name));
    if (kept) localStorage.setItem(name, JSON.stringify({ ...kept, left: true }));
  } catch {
    // storage is full or blocked: it is taken over a little later, or was never there
  }
}

export function forget(key) {
  drop(`${PREFIX}${key}/${tab}`);
}

export function drop(name) {
  try {
    localStorage.removeItem(name);
  } catch {
    // storage is blocked, so nothing lies there
  }
}

// What other windows, or earlier ones, left here: {name, sources, revision, at}, the latest first.
export function found(key) {
  try {
    return Object.keys(localStorage)
      .filter((name) => name === PREFIX + key || name.startsWith(`${PREFIX}${key}/`))
      .map((name) => ({ name, at: 0, ...parse(localStorage.getItem(name)) }))
      .filter(({ sources, at, left }) => sources && (left || Date.now() - at > FRESH_MS))
      .sort((one, other) => other.at - one.at);
  } catch {
    return [];
  }
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
