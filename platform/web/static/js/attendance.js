// A scanned code goes off by itself: whoever scanned the picture has said what they want. Once only: a refusal stays on the page.
document.querySelector("form[data-send]")?.requestSubmit();

// The screen says when it cannot follow the clock of the server, which alone decides.
const offline = document.getElementById("offline");
if (offline) {
  const tell = (lost) => () => (offline.hidden = !lost);
  for (const name of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) document.addEventListener(name, tell(true));
  document.addEventListener("htmx:afterSwap", tell(false));
}
