// Keys are declared in HTML: aria-keyshortcuts="g l" on a link, "j" or "Control+Enter" on a button. `?` lists them.
const PAUSE_MS = 1200;
const NAMES = { Control: "Ctrl", Enter: "↵", ArrowUp: "↑", ArrowDown: "↓" };
const dialog = document.getElementById("keys");
let prefix = "";
let timer = 0;

const declared = () => [...document.querySelectorAll("[aria-keyshortcuts]")];
const name = (element) => element.dataset.keyTitle ?? element.textContent.trim();

// In a radio button or a checkbox nothing is typed.
export function isTyping(event) {
  const target = event.composedPath()[0];
  const fields = "input:not([type=radio], [type=checkbox]), textarea, select, [contenteditable]:not([contenteditable=false])";
  return target instanceof Element && target.closest(fields);
}

// Enter does what the focused link or button says; what is declared for it is for everywhere else.
const isPressing = (event) => event.key === "Enter" && event.target instanceof Element && event.target.closest("a, button, summary");

function find(keys) {
  return declared().find((element) => element.getAttribute("aria-keyshortcuts") === keys && !element.disabled);
}

function show() {
  const list = dialog.querySelector("[data-keys-list]");
  const rows = [...declared().map((element) => [name(element), element.getAttribute("aria-keyshortcuts")]), ["This list", "?"]];
  list.replaceChildren(
    ...rows.flatMap(([title, keys]) => {
      const words = document.createElement("span");
      words.textContent = title;
      const boxes = document.createElement("span");
      for (const key of keys.split(/[ +]/)) {
        const box = document.createElement("kbd");
        box.textContent = NAMES[key] ?? key;
        boxes.append(box, " ");
      }
      return [words, boxes];
    }),
  );
  dialog.showModal();
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    const button = find("Control+Enter");
    if (button) {
      event.preventDefault();
      button.click();
    }
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event) || document.querySelector("dialog[open]")) return;
  if (event.key === "?" && dialog) {
    event.preventDefault();
    show();
    return;
  }
  clearTimeout(timer);
  const target = isPressing(event) ? null : ((prefix && find(`${prefix} ${event.key}`)) || find(event.key));
  prefix = target ? "" : event.key;
  timer = setTimeout(() => (prefix = ""), PAUSE_MS);
  if (target) {
    event.preventDefault();
    target.click();
  }
});
