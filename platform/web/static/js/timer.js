// The clock for the room. Everything that it needs is in the page: it goes on without a network, and after a reload.
const WARN_S = 120;
const LAST_S = 30;
const root = document.querySelector("[data-timer]");
const part = (name) => root.querySelector(`[data-${name}]`);
const lengths = { talk: Number(root.dataset.talkS), questions: Number(root.dataset.questionsS) };
const following = [...part("following").children].map(({ dataset }) => dataset);
const line = [{ pk: root.dataset.timer, team: part("team").textContent, people: part("people").textContent }, ...following];
const key = `gradlab-timer/${root.dataset.timer}`;
const fresh = (at) => ({ at, part: "talk", spent: 0, since: null });
let now = read() ?? fresh(0);
let lock = null;

function read() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(key));
    return kept && line[kept.at] && lengths[kept.part] !== undefined ? kept : null;
  } catch {
    return null;
  }
}

function store() {
  try {
    sessionStorage.setItem(key, JSON.stringify(now));
  } catch {
    // storage is blocked: a reload starts anew
  }
}

const seconds = () => now.spent + (now.since === null ? 0 : (Date.now() - now.since) / 1000);

function digits(left) {
  const whole = Math.abs(left >= 0 ? Math.ceil(left) : Math.floor(left));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

// the phase decides the colour, and the words say it too
function phase(left) {
  if (now.since === null && !now.spent) return ["ready", now.part === "talk" ? "Ready" : "Questions"];
  if (left < 0) return ["over", now.part === "talk" ? "Time is up, over by" : "Questions are over by"];
  if (now.part === "questions") return ["questions", left <= LAST_S ? "Last question" : "Questions"];
  if (left <= LAST_S) return ["last", "Last words"];
  return left <= WARN_S ? ["soon", "Come to the end"] : ["talk", "Talk"];
}

function show() {
  const length = lengths[now.part];
  const left = length - seconds();
  const [kind, words] = phase(left);
  root.dataset.phase = kind;
  const paused = now.since === null && now.spent > 0;
  part("state").textContent = paused ? `${words} (paused)` : words;
  part("digits").textContent = digits(left);
  part("bar").value = length ? Math.min(seconds() / length, 1) : 1;
  part("start-label").textContent = now.since === null ? (now.spent ? "Go on" : "Start") : "Pause";
  document.title = `${digits(left)} ${line[now.at].team}`;
}

function name() {
  const next = line[now.at + 1];
  part("team").textContent = line[now.at].team;
  part("people").textContent = line[now.at].people;
  part("next-label").textContent = next ? `Next: ${next.team}` : "The last talk of this session";
  root.querySelector("[data-act=next]").disabled = !next;
  root.querySelector("[data-act=questions]").disabled = now.part === "questions" || !lengths.questions;
}

async function awake(wish) {
  try {
    if (wish) lock = await navigator.wakeLock?.request("screen");
    else await lock?.release();
  } catch {
    // the screen may go dark; the time goes on
  }
}

const acts = {
  start() {
    if (now.since === null) now.since = Date.now();
    else Object.assign(now, { spent: seconds(), since: null });
    awake(now.since !== null);
  },
  questions() {
    Object.assign(now, { part: "questions", spent: 0, since: Date.now() });
    awake(true);
  },
  reset() {
    now = fresh(now.at);
    awake(false);
  },
  next() {
    if (line[now.at + 1]) now = fresh(now.at + 1);
  },
  full() {
    if (document.fullscreenElement) document.exitFullscreen();
    else document.documentElement.requestFullscreen?.().catch(() => {});
  },
};

function act(wish) {
  acts[wish]();
  store();
  name();
  show();
}

root.addEventListener("click", (event) => {
  const button = event.target.closest("[data-act]");
  if (!button) return;
  act(button.dataset.act);
  if (event.detail) button.blur(); // after a click of the mouse, Space is the clock's again
});
document.addEventListener("keydown", (event) => {
  const elsewhere = event.target instanceof Element && event.target.closest("a, button, dialog[open]");
  if (event.key !== " " || elsewhere || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  event.preventDefault();
  act("start");
});
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && now.since !== null && awake(true));
setInterval(show, 200);
name();
show();
