"use strict";

/* A link to what is folded away opens it. */
(() => {
  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target?.closest("article details:not([open])")) return;
    for (let box = target; (box = box.closest("details:not([open])")); ) box.open = true;
    target.scrollIntoView();
  };
  window.addEventListener("load", reveal);
  window.addEventListener("hashchange", reveal);
})();

/* Paper is light and complete, whatever the page on the screen is like. */
(() => {
  const root = document.documentElement;
  let before = null;
  window.addEventListener("beforeprint", () => {
    if (before) return;
    before = { theme: root.dataset.theme, closed: [...document.querySelectorAll("details:not([open])")] };
    root.dataset.theme = "light";
    before.closed.forEach((details) => { details.open = true; });
    document.querySelectorAll("img[loading=lazy]").forEach((image) => { image.loading = "eager"; });
  });
  window.addEventListener("afterprint", () => {
    if (!before) return;
    root.dataset.theme = before.theme;
    before.closed.forEach((details) => { details.open = false; });
    before = null;
  });
})();

/* A table fits its column: as it is, else with narrower cells, else with each row as a list. */
(() => {
  /* Each cell says its column, in a copy of the column's head. */
  const stack = (table) => {
    const heads = [...table.querySelectorAll("thead th")];
    const longest = (cells) => Math.max(...[...cells].map((cell) => cell.textContent.trim().length));
    const values = table.querySelectorAll("tbody tr > :not(:first-child)");
    const short = heads.length > 4 && longest(heads.slice(1)) + longest(values) <= 22;
    table.querySelectorAll("tbody tr").forEach((row) => {
      [...row.children].forEach((cell, i) => {
        const name = document.createElement("span");
        name.className = "column";
        const head = heads[i]?.cloneNode(true);
        name.append(...(head?.querySelector("p") ?? head)?.childNodes ?? []);
        if (name.textContent.trim()) cell.prepend(name);
      });
    });
    table.classList.add("stacked");
    table.classList.toggle("short", short);
  };

  const arrange = (table) => {
    const box = table.parentElement;
    table.classList.remove("fit", "stacked", "short");
    table.querySelectorAll(".column").forEach((name) => name.remove());
    const wide = () => box.scrollWidth > box.clientWidth + 1;
    if (!wide()) return;
    table.classList.add("fit");
    const cells = [...table.querySelectorAll("tbody td")];
    const cramped = cells.some((cell) => cell.textContent.trim().length > 20 && cell.clientWidth < 120);
    if (!wide() && !cramped) return;
    table.classList.remove("fit");
    stack(table);
  };

  const all = (part) => part.querySelectorAll(".bd-article .pst-scrollable-table-container > table").forEach(arrange);
  window.addEventListener("load", () => {
    let width = 0;
    new ResizeObserver(([{ contentRect }]) => {
      if (contentRect.width !== width) all(document);
      width = contentRect.width;
    }).observe(document.querySelector("article"));
    window.formulas?.then(() => all(document));
    document.fonts.addEventListener("loadingdone", () => all(document)); // letters of another width
    document.addEventListener("toggle", (event) => { if (event.target.open) all(event.target); }, true);
  });
})();
