// Orders talks by pointer and by keys, within a session and from one to the next. Nothing is sent before Save: each row carries its field.
const bodies = [...document.querySelectorAll("table[data-talk-order]")].map((table) => table.tBodies[0]);
const save = document.querySelector("[data-order-save]");
const announce = document.getElementById("announce");
const rows = () => bodies.flatMap((body) => [...body.rows]);
const first = bodies.map((body) => [...body.rows]);
const begins = bodies.map((body) => [...body.rows].map((row) => row.querySelector("[data-begins]").innerHTML));
const size = rows().length;

// Times belong to places; one more talk than a session had begins after the last.
function show() {
  bodies.forEach((body, at) => {
    [...body.rows].forEach((row, place) => {
      const field = row.querySelector("[data-talk]");
      field.value = `${body.parentElement.dataset.talkOrder}:${field.dataset.talk}`;
      row.querySelector("[data-number]").textContent = place + 1;
      const time = row.querySelector("[data-begins]");
      if (begins[at][place] === undefined) time.textContent = "after that";
      else time.innerHTML = begins[at][place];
      const whole = rows().indexOf(row);
      row.querySelector("[data-step='-1']").disabled = whole === 0;
      row.querySelector("[data-step='1']").disabled = whole === size - 1;
    });
  });
  save.hidden = bodies.every((body, at) => body.rows.length === first[at].length && first[at].every((row, place) => row === body.rows[place]));
}

function tell(row) {
  const body = row.parentElement;
  const name = document.getElementById(body.closest("section").getAttribute("aria-labelledby")).firstChild.textContent.trim();
  announce.textContent = `${row.dataset.row}, now number ${[...body.rows].indexOf(row) + 1} on ${name}.`;
}

function put(row, body, before) {
  body.insertBefore(row, before ?? null);
  show();
  tell(row);
}

// One place earlier or later; from the edge of a session to the session beside it.
function step(row, by) {
  const body = row.parentElement;
  const beside = by < 0 ? row.previousElementSibling : row.nextElementSibling;
  if (beside) return put(row, body, by < 0 ? beside : beside.nextElementSibling);
  const next = bodies[bodies.indexOf(body) + by];
  if (next) put(row, next, by < 0 ? null : next.rows[0]);
}

function byKey(event) {
  const handle = event.target.closest("[data-handle]");
  if (!handle || event.ctrlKey || event.metaKey || event.altKey) return;
  const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (!by) return;
  event.preventDefault();
  step(handle.closest("tr"), by);
  handle.focus();
}

function byStep(event) {
  const button = event.target.closest("[data-step]");
  if (!button) return;
  event.preventDefault();
  const row = button.closest("tr");
  step(row, Number(button.dataset.step));
  (button.disabled ? row.querySelector("[data-handle]") : button).focus();
}

function byPointer(event) {
  const handle = event.target.closest("[data-handle]");
  if (!handle || event.button !== 0) return;
  const row = handle.closest("tr");
  const from = { body: row.parentElement, before: row.nextElementSibling };
  event.preventDefault();
  handle.focus();
  row.classList.add("is-dragged");
  const stop = new AbortController();
  const { signal } = stop;

  function over({ clientY }) {
    const body = bodies.findLast((one) => one.parentElement.getBoundingClientRect().top <= clientY) ?? bodies[0];
    const next = [...body.rows].find((other) => {
      const box = other.getBoundingClientRect();
      return other !== row && clientY < box.top + box.height / 2;
    });
    if (row.parentElement !== body || row.nextElementSibling !== (next ?? null)) body.insertBefore(row, next ?? null);
    if (clientY < 48) scrollBy(0, -16);
    else if (clientY > innerHeight - 96) scrollBy(0, 16);
  }

  function end(given) {
    stop.abort();
    row.classList.remove("is-dragged");
    if (given) from.body.insertBefore(row, from.before);
    show();
    if (!given) tell(row);
    handle.focus();
  }

  document.addEventListener("pointermove", over, { signal });
  document.addEventListener("pointerup", () => end(false), { signal });
  document.addEventListener("pointercancel", () => end(true), { signal });
  document.addEventListener("keydown", (key) => key.key === "Escape" && end(true), { signal });
}

for (const body of bodies) {
  body.addEventListener("keydown", byKey);
  body.addEventListener("click", byStep);
  body.addEventListener("pointerdown", byPointer);
  // a handle that nobody listens to yet would swallow the first key
  body.querySelectorAll("[data-handle]").forEach((handle) => (handle.disabled = false));
}
document.querySelector("[data-order-undo]")?.addEventListener("click", () => {
  bodies.forEach((body, at) => body.append(...first[at]));
  show();
  announce.textContent = "The order is as it was.";
  first[0]?.[0]?.querySelector("[data-handle]").focus();
});
