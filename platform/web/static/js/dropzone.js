// Files dropped on a form; each is listed with its size, and one that is not taken there, or too large, is said so at once.
const size = (bytes) => (bytes < 1000 ? `${bytes} B` : bytes < 1024000 ? `${(bytes / 1024).toFixed(1)} kB` : `${(bytes / 1048576).toFixed(1)} MB`);
// "only .pdf is", "only .md, .txt and .pdf are"
const listed = (kinds) => (kinds.length === 1 ? `${kinds[0]} is` : `${kinds.slice(0, -1).join(", ")} and ${kinds.at(-1)} are`);

function list(zone, input) {
  const accepted = zone.dataset.accepts.split(",");
  const most = Number(zone.dataset.mostMb || Infinity);
  const rows = [...input.files].map((file) => {
    const row = document.createElement("li");
    const unknown = !accepted.some((suffix) => file.name.toLowerCase().endsWith(suffix));
    const refused = unknown || file.size > most * 1048576;
    const name = document.createElement("span");
    const why = unknown ? `only ${listed(accepted)} taken here` : `at most ${most} MB are taken`;
    name.textContent = refused ? `${file.name}: ${why}` : file.name;
    const note = document.createElement("span");
    note.textContent = size(file.size);
    row.toggleAttribute("data-refused", refused);
    row.append(name, note);
    return row;
  });
  zone.querySelector("[data-file-list]").replaceChildren(...rows);
}

for (const zone of document.querySelectorAll("[data-dropzone]")) {
  const input = zone.querySelector("input[type=file]");
  input.addEventListener("change", () => list(zone, input));
  zone.addEventListener("dragover", (event) => {
    event.preventDefault();
    zone.classList.add("is-over");
  });
  zone.addEventListener("dragleave", () => zone.classList.remove("is-over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("is-over");
    if (!event.dataTransfer.files.length) return;
    input.files = event.dataTransfer.files;
    list(zone, input);
  });
}
