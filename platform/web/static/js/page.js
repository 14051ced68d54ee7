// What every page has: colours, keys, copying, printing, the viewer's own time.
import "./keys.js";
import "./copy.js";
import "./local-time.js";

const root = document.documentElement;
const toggle = document.querySelector("[data-theme-toggle]");

function mark() {
  const theme = root.dataset.theme ?? "system";
  for (const button of toggle.children) button.setAttribute("aria-pressed", String(button.value === theme));
}

toggle?.addEventListener("click", (event) => {
  const theme = event.target.closest("button")?.value;
  if (!theme) return;
  if (theme === "system") delete root.dataset.theme;
  else root.dataset.theme = theme;
  try {
    if (theme === "system") localStorage.removeItem("gradlab-theme");
    else localStorage.setItem("gradlab-theme", theme);
  } catch {
    // storage is blocked: the choice holds for this page
  }
  mark();
});
if (toggle) mark();

// the bar of places is longer than a phone is wide, and staff's than a laptop is high: where one is stays in sight
const here = document.querySelector(".rail .nav [aria-current]");
for (let bar = here?.parentElement; bar && bar !== document.body; bar = bar.parentElement) {
  const place = here.getBoundingClientRect();
  const frame = bar.getBoundingClientRect();
  const foot = bar.querySelector(":scope > .rail-foot")?.offsetHeight ?? 0;
  if (bar.scrollWidth > bar.clientWidth && place.right > frame.right) bar.scrollLeft += place.left - frame.left - (frame.width - place.width) / 2;
  if (bar.scrollHeight > bar.clientHeight && place.bottom > frame.bottom - foot) bar.scrollTop += place.bottom - frame.bottom + foot + 8;
}

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-print]")) window.print();
});

// A form that was refused comes back as a page: what it says may stand far below, so it is brought into sight, and read aloud.
// Where a page puts the focus itself, or is the desk of a grader, it stays there.
const said = document.querySelector("main .notice[role=alert]:not([hidden])") ?? document.querySelector("main [aria-invalid=true]");
if (said && document.activeElement === document.body && !document.querySelector("main :is([autofocus], [data-desk])")) {
  if (said.matches(".notice")) said.tabIndex = -1;
  said.focus({ preventScroll: true });
  const place = said.getBoundingClientRect();
  if (place.top < 0 || place.bottom > innerHeight) said.scrollIntoView({ block: "center" });
}

// What is swapped takes the focus with it. It goes to what stands in its place: the same words, or else the same position.
const stops = (root) =>
  [...root.querySelectorAll("a[href], button, input, select, textarea, summary")].filter((stop) => !stop.disabled && stop.checkVisibility());
let left = null;
document.addEventListener("htmx:beforeSwap", ({ detail: { target, requestConfig } }) => {
  const at = document.activeElement === document.body ? requestConfig?.elt : document.activeElement;
  left = target?.id && at && target.contains(at) ? { id: target.id, place: stops(target).indexOf(at), words: at.textContent.trim() } : null;
});
document.addEventListener("htmx:afterSettle", () => {
  const root = left && document.activeElement === document.body && document.getElementById(left.id);
  if (!root) return;
  const all = stops(root);
  const same = all.filter((stop) => left.words && stop.textContent.trim() === left.words);
  const near = all[Math.min(Math.max(left.place, 0), all.length - 1)];
  (same.includes(near) ? near : (same[0] ?? near))?.focus({ preventScroll: true });
  left = null;
});

// a link to a check opens it
function openTarget() {
  const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let element = target; element; element = element.parentElement) {
    if (element instanceof HTMLDetailsElement) element.open = true;
  }
  if (target) target.scrollIntoView();
}
window.addEventListener("hashchange", openTarget);
openTarget();
