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
