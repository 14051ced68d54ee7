// Keys are declared in HTML: aria-keyshortcuts="g l" on a link, "Control+Enter" on a button. `?` lists them.
const PAUSE_MS = 1200;
const dialog = document.getElementById("keys");
let prefix = "";
let timer = 0;

const declared = () => [...document.querySelectorAll("[aria-keyshortcuts]")];
const name = (element) => element.dataset.keyTitle ?? element.textContent.trim();

function isTyping(event) {
  const target = event.composedPath()[0];
  return target instanceof Element && target.closest("input, textarea, select, [contenteditable]:not([contenteditable=false])");
}

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
        box.textContent = key === "Control" ? "Ctrl" : key;
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
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event) || dialog?.open) return;
  if (event.key === "?" && dialog) {
    event.preventDefault();
    show();
    return;
  }
  clearTimeout(timer);
  const target = prefix && find(`${prefix} ${event.key}`);
  prefix = prefix ? "" : event.key;
  timer = setTimeout(() => (prefix = ""), PAUSE_MS);
  if (target) {
    event.preventDefault();
    target.click();
  }
});
