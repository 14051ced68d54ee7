// Times are shown in the course's zone. Someone elsewhere gets their own time as a hint on each, and in full where `data-elsewhere` asks.
const short = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const full = new Intl.DateTimeFormat(undefined, {
  weekday: "short", day: "numeric", month: "short", year: "numeric",
  hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", timeZoneName: "short",
});

function offsetOf(text) {
  const found = /([+-])(\d\d):(\d\d)$/.exec(text);
  return found ? (found[1] === "-" ? -1 : 1) * (Number(found[2]) * 60 + Number(found[3])) : 0;
}

const isElsewhere = (time) => -new Date(time.dateTime).getTimezoneOffset() !== offsetOf(time.dateTime);

function tell(root) {
  for (const time of root.querySelectorAll("time[datetime][title]:not([data-told])")) {
    time.dataset.told = "";
    if (isElsewhere(time)) time.title += `. Where you are: ${short.format(new Date(time.dateTime))}`;
  }
  for (const part of root.querySelectorAll("[data-elsewhere]")) {
    const times = [...part.querySelectorAll("time")];
    for (const time of times) time.textContent = full.format(new Date(time.dateTime));
    part.hidden = !times.some(isElsewhere);
  }
}

tell(document);
// a refusal that htmx put into the page tells its times, too
document.addEventListener("htmx:afterSettle", (event) => tell(event.target.parentElement ?? document));
