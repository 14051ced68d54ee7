// TeX in .math elements becomes MathML. What Temml cannot read stays as the TeX that it was.
for (const element of document.querySelectorAll(".math")) {
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
