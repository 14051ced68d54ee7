// A scanned code goes off by itself: whoever scanned the picture has said what they want. Once only: a refusal stays on the page.
document.querySelector("form[data-send]")?.requestSubmit();
