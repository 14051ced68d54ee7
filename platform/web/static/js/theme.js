// Runs before the first paint: the chosen colours, and the mark that JavaScript is here.
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  try {
    const theme = localStorage.getItem("gradlab-theme");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  } catch {
    // storage is blocked: the system's colours stay
  }
})();
