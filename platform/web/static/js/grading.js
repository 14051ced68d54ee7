// The editor of the grading scheme: what the weights and the shares add up to, while they are typed. The server checks them again.
const hundredth = (text) => {
  const value = Number(text.replace(",", "."));
  return text.trim() && Number.isFinite(value) ? Math.round(value * 100) : NaN;
};

function sum(fields) {
  return fields.reduce((total, field) => total + hundredth(field.value), 0) / 100;
}

function tell(editor, name, fields) {
  const place = editor.querySelector(`[data-sum="${name}"]`);
  const total = sum(fields);
  place.textContent = Number.isNaN(total) ? "not all of them are numbers" : `add up to ${total} %`;
  place.classList.toggle("is-off", total !== 100);
}

function update() {
  const editor = document.getElementById("editor");
  if (!editor) return;
  const weights = [...editor.querySelectorAll("[data-weight]")];
  tell(editor, "weights", weights.filter((field) => !field.closest("fieldset").querySelector("[data-extra]").checked));
  tell(editor, "shares", [...editor.querySelectorAll("[data-share]")]);
}

document.addEventListener("input", update);
document.addEventListener("htmx:afterSwap", () => {
  update();
  document.querySelector("#editor [autofocus]")?.focus();
});
update();
