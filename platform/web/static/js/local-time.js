// Times are shown in the course's zone. Someone elsewhere gets their own time as a hint on each.
const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

function offsetOf(text) {
  const found = /([+-])(\d\d):(\d\d)$/.exec(text);
  return found ? (found[1] === "-" ? -1 : 1) * (Number(found[2]) * 60 + Number(found[3])) : 0;
}

for (const time of document.querySelectorAll("time[datetime]")) {
  const moment = new Date(time.dateTime);
  if (-moment.getTimezoneOffset() !== offsetOf(time.dateTime)) time.title += `. Where you are: ${format.format(moment)}`;
}
