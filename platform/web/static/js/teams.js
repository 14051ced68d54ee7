// Moves students between teams by pointer. Nothing is sent before Move: each moved student carries a hidden field of the form.
// Who uses no pointer chooses students by their boxes and says in the same form where they go.
const page = document.querySelector("[data-arrange]");
const form = document.getElementById("arrange");
const announce = document.getElementById("announce");
const undo = page?.querySelector("[data-arrange-undo]");
const count = page?.querySelector("[data-arrange-count]");
const homes = new Map();
const sizes = new Map();

const teamOf = (member) => member.closest("[data-team]");
const moved = () => [...page.querySelectorAll(".team-member.is-moved")];

function show() {
  for (const team of page.querySelectorAll("[data-team]")) {
    const members = team.querySelectorAll(".team-member").length;
    const size = team.querySelector("[data-size]");
    if (size) size.textContent = members;
    // what the server said of the size was about another one
    team.classList.toggle("is-resized", sizes.get(team) !== members);
  }
  const moves = moved().length;
  form.classList.toggle("has-moves", moves > 0);
  undo.hidden = moves === 0;
  count.textContent = moves === 0 ? "" : moves === 1 ? "1 student is moved, not stored yet" : `${moves} students are moved, not stored yet`;
  // a box says "the chosen ones go to …"; while students are dragged the places are said by dragging
  for (const box of page.querySelectorAll("input[name=student]")) box.disabled = moves > 0;
}

function carry(member, team) {
  const { member: student, from } = member.dataset;
  const isAway = team.dataset.team !== from;
  member.classList.toggle("is-moved", isAway);
  let field = member.querySelector("input[name=move]");
  if (!field) {
    field = Object.assign(document.createElement("input"), { type: "hidden", name: "move" });
    field.setAttribute("form", form.id);
    member.append(field);
  }
  field.disabled = !isAway;
  field.value = `${student}-${from}-${team.dataset.team}`;
}

function put(member, team) {
  if (teamOf(member) === team) return;
  team.querySelector("[data-members]").append(member);
  carry(member, team);
  show();
  announce.textContent = `${member.dataset.name}: ${team.dataset.name}. Press Move to store it.`;
}

function backHome() {
  for (const member of moved()) {
    const [team, next] = homes.get(member);
    // the place beside a neighbour who is there still, else the end
    const list = team.querySelector("[data-members]");
    list.insertBefore(member, next?.parentElement === list ? next : null);
    carry(member, team);
  }
  show();
  announce.textContent = "Everybody is where they were.";
}

function byPointer(event) {
  const handle = event.target.closest("[data-handle]");
  if (!handle || event.button !== 0) return;
  const member = handle.closest(".team-member");
  const stop = new AbortController();
  const { signal } = stop;
  let over = null;
  event.preventDefault();
  member.classList.add("is-dragged");
  page.classList.add("is-dragging");

  function mark(team) {
    if (team === over) return;
    over?.classList.remove("is-over");
    over = team;
    if (over && over !== teamOf(member)) over.classList.add("is-over");
  }

  function move({ clientX, clientY }) {
    mark(document.elementFromPoint(clientX, clientY)?.closest("[data-team]") ?? null);
    if (clientY < 48) scrollBy(0, -16);
    else if (clientY > innerHeight - 96) scrollBy(0, 16);
  }

  function end(dropped) {
    stop.abort();
    const team = over;
    mark(null);
    member.classList.remove("is-dragged");
    page.classList.remove("is-dragging");
    if (dropped && team) put(member, team);
  }

  document.addEventListener("pointermove", move, { signal });
  document.addEventListener("pointerup", () => end(true), { signal });
  document.addEventListener("pointercancel", () => end(false), { signal });
  document.addEventListener("keydown", (key) => key.key === "Escape" && end(false), { signal });
}

if (page) {
  for (const member of page.querySelectorAll(".team-member")) homes.set(member, [teamOf(member), member.nextElementSibling]);
  for (const team of page.querySelectorAll("[data-team]")) sizes.set(team, team.querySelectorAll(".team-member").length);
  page.addEventListener("pointerdown", byPointer);
  undo.addEventListener("click", backHome);
  show();
}
