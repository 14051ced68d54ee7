// TeX in .math elements becomes MathML. What Temml cannot read stays as the TeX that it was.
let loading = null;

// The renderer is on the page where its text has maths; a page whose text is still written names it in data-temml.
function renderer() {
  if (window.temml) return Promise.resolve();
  const source = document.querySelector("[data-temml]")?.dataset.temml;
  loading ??= new Promise((resolve, reject) => {
    document.head.append(Object.assign(document.createElement("script"), { src: source, onload: resolve, onerror: reject }));
  });
  return loading;
}

function write(element) {
  try {
    const holder = document.createElement("span");
    window.temml.render(element.textContent.trim(), holder, {
      displayMode: element.classList.contains("block"),
      throwOnError: true,
    });
    element.replaceChildren(...holder.childNodes);
    element.classList.add("math-ready");
    // a formula wider than the page scrolls by itself, and a keyboard can reach it
    if (element.scrollWidth > element.clientWidth) element.tabIndex = 0;
  } catch {
    element.classList.add("math-plain");
  }
}

export async function renderMaths(root) {
  const formulas = root.querySelectorAll(".math");
  if (!formulas.length) return;
  await renderer();
  formulas.forEach(write);
}

renderMaths(document);
