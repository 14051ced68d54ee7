// Follows a job: server-sent events, or asking every 2 s when they fail. The page works without this, by reloading.
const POLL_MS = 2000;
const announce = document.getElementById("announce");
let stop = () => {};

const current = () => document.querySelector("#progress[data-events-url]");

function parse(html) {
  return new DOMParser().parseFromString(html, "text/html");
}

// Keeps every part that did not change, so that marks settle once and the spinner turns on.
function patch(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  const sameShape = old.nodeName === fresh.nodeName && old.children.length === fresh.children.length && old.children.length > 0;
  if (!sameShape || old.matches("li")) {
    old.replaceWith(fresh);
    return;
  }
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) old.setAttribute(name, value);
  const pairs = [...old.children].map((child, at) => [child, fresh.children[at]]);
  for (const [before, after] of pairs) patch(before, after);
  const words = [...old.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
  if (words && !old.isEqualNode(fresh)) old.replaceWith(fresh);
}

function say(progress) {
  const { status, done, total } = progress.dataset;
  const half = Number(total) > 3 && Number(done) === Math.floor(Number(total) / 2);
  if (status === "running" && Number(done) === 0) announce.textContent = "The checks run.";
  else if (half) announce.textContent = `${done} of ${total} checks have run.`;
}

function show(html) {
  const old = document.getElementById("progress");
  const fresh = parse(html).getElementById("progress");
  if (!old || !fresh || (fresh.dataset.job === old.dataset.job && Number(fresh.dataset.version) < Number(old.dataset.version))) return old;
  say(fresh);
  patch(old, fresh);
  return document.getElementById("progress");
}

// The part of the page around the progress, fetched anew: marks become results, and the editor beside it keeps its text.
async function finish() {
  stop();
  const progress = document.getElementById("progress");
  const region = progress?.closest("[data-live-region]");
  if (!region) return;
  const response = await fetch(progress.dataset.resultUrl, { headers: { Accept: "text/html" } });
  const fresh = response.ok && parse(await response.text()).getElementById(region.id);
  if (!fresh) {
    location.reload();
    return;
  }
  region.replaceWith(fresh);
  window.htmx?.process(fresh);
  const words = fresh.querySelector("#progress .small, .score")?.textContent.trim() ?? "";
  announce.textContent = `The checks have ended. ${words}`;
}

function poll(url) {
  const timer = setInterval(async () => {
    try {
      const response = await fetch(url);
      if (response.ok && "finished" in (show(await response.text())?.dataset ?? {})) await finish();
    } catch {
      // offline for a moment: ask again
    }
  }, POLL_MS);
  stop = () => clearInterval(timer);
}

function tick(started) {
  const element = document.querySelector("[data-elapsed]");
  const seconds = Math.floor((performance.now() - started) / 1000);
  if (element && seconds > 0) element.textContent = ` · ${seconds} s`;
}

function follow() {
  const progress = current();
  if (!progress) return;
  stop();
  const { eventsUrl, progressUrl } = progress.dataset;
  const started = performance.now();
  const clock = setInterval(() => tick(started), 1000);
  const source = new EventSource(eventsUrl);
  let failures = 0;
  stop = () => {
    source.close();
    clearInterval(clock);
  };
  source.addEventListener("progress", (event) => {
    failures = 0;
    show(event.data);
  });
  source.addEventListener("done", finish);
  source.addEventListener("error", () => {
    failures += 1;
    if (failures < 3 && source.readyState !== EventSource.CLOSED) return;
    source.close();
    poll(progressUrl);
  });
}

document.addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.target.id === "progress-slot") {
    document.getElementById("refusal")?.replaceChildren();
    document.getElementById("checks")?.scrollIntoView({ block: "nearest" });
    document.querySelector("#checks > .panel")?.remove();
    follow();
  }
});
follow();
