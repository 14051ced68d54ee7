// Files dropped on a form; each is listed with its size, and one that is not taken there is said so at once.
const size = (bytes) => (bytes < 1000 ? `${bytes} B` : bytes < 1024000 ? `${(bytes / 1024).toFixed(1)} kB` : `${(bytes / 1048576).toFixed(1)} MB`);

function list(zone, input) {
  const accepted = zone.dataset.accepts.split(",");
  const rows = [...input.files].map((file) => {
    const row = document.createElement("li");
    const refused = !accepted.some((suffix) => file.name.toLowerCase().endsWith(suffix));
    const name = document.createElement("span");
    name.textContent = refused ? `${file.name}: only ${accepted.join(", ")} is taken here` : file.name;
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
