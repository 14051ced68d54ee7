// Orders the rows of a list by pointer and by keys. Nothing is sent before Save: each row carries its own hidden field.
const table = document.querySelector("table[data-reading-order]");
const body = table?.tBodies[0];
const save = document.querySelector("[data-order-save]");
const mode = document.querySelector("[data-order-dates]");
const announce = document.getElementById("announce");
const rows = () => [...body.querySelectorAll("tr[data-row]")];
const first = table ? rows() : [];
const dues = first.map((row) => [...row.querySelector("[data-due]").childNodes]);

// the open form of a row goes where its row goes
const below = (row) => (row.nextElementSibling?.matches("tr:not([data-row])") ? row.nextElementSibling : null);

function put(row, before) {
  const form = below(row);
  body.insertBefore(row, before);
  if (form) row.after(form);
}

function show() {
  const now = rows();
  now.forEach((row, place) => {
    row.querySelector("[data-number]").textContent = place + 1;
    row.querySelector("[data-due]").replaceChildren(...dues[mode.value === "papers" ? first.indexOf(row) : place]);
    row.querySelector("[data-step='-1']").disabled = place === 0;
    row.querySelector("[data-step='1']").disabled = place === now.length - 1;
  });
  save.hidden = now.every((row, place) => row === first[place]);
}

function tell(row) {
  announce.textContent = `${row.dataset.row}, now number ${rows().indexOf(row) + 1} of ${first.length}.`;
}

function moveTo(row, place) {
  const others = rows().filter((other) => other !== row);
  const target = Math.max(0, Math.min(place, others.length));
  put(row, others[target] ?? null);
  show();
  tell(row);
}

function byKey(event) {
  const row = event.target.closest("[data-handle]")?.closest("tr");
  if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
  const here = rows().indexOf(row);
  const place = { ArrowUp: here - 1, ArrowDown: here + 1, Home: 0, End: first.length - 1 }[event.key];
  if (place === undefined) return;
  event.preventDefault();
  moveTo(row, place);
  event.target.closest("[data-handle]").focus();
}

function byStep(event) {
  const button = event.target.closest("[data-step]");
  if (!button) return;
  event.preventDefault();
  const row = button.closest("tr");
  moveTo(row, rows().indexOf(row) + Number(button.dataset.step));
  (button.disabled ? row.querySelector("[data-handle]") : button).focus();
}

function byPointer(event) {
  const handle = event.target.closest("[data-handle]");
  if (!handle || event.button !== 0) return;
  const row = handle.closest("tr");
  const before = rows();
  event.preventDefault();
  handle.focus();
  row.classList.add("is-dragged");

  function over({ clientY }) {
    const others = rows().filter((other) => other !== row);
    const next = others.find((other) => {
      const box = other.getBoundingClientRect();
      return clientY < box.top + box.height / 2;
    });
    if ((next ?? null) !== (rows()[rows().indexOf(row) + 1] ?? null)) put(row, next ?? null);
    if (clientY < 48) scrollBy(0, -16);
    else if (clientY > innerHeight - 96) scrollBy(0, 16);
  }

  function end(given) {
    stop.abort();
    row.classList.remove("is-dragged");
    if (given) before.forEach((other) => put(other, null));
    show();
    if (!given) tell(row);
    handle.focus();
  }

  const stop = new AbortController();
  const { signal } = stop;
  document.addEventListener("pointermove", over, { signal });
  document.addEventListener("pointerup", () => end(false), { signal });
  document.addEventListener("pointercancel", () => end(true), { signal });
  document.addEventListener("keydown", (key) => key.key === "Escape" && end(true), { signal });
}

if (table) {
  body.addEventListener("keydown", byKey);
  body.addEventListener("click", byStep);
  body.addEventListener("pointerdown", byPointer);
  // a handle that nobody listens to yet would swallow the first key
  body.querySelectorAll("[data-handle]").forEach((handle) => (handle.disabled = false));
  mode.addEventListener("change", show);
  document.querySelector("[data-order-undo]").addEventListener("click", () => {
    first.forEach((row) => put(row, null));
    show();
    announce.textContent = "The order is as it was.";
    first[0]?.querySelector("[data-handle]").focus();
  });
}
