"use strict";

/* Sets the formulas of a page with KaTeX 0.19.1, which is loaded only where there are some. `formulas` is a promise of the end. */
(() => {
  const here = document.currentScript.src;
  const nodes = [...document.querySelectorAll("span.math, div.math")];
  if (!nodes.length) return;
  const style = Object.assign(document.createElement("link"), { rel: "stylesheet", href: new URL("katex.min.css", here) });
  const script = Object.assign(document.createElement("script"), { src: new URL("katex.min.js", here) });
  window.formulas = Promise.all([style, script].map((part) => new Promise((done, fail) => {
    part.onload = done;
    part.onerror = () => fail(new Error(`${part.href ?? part.src} is missing`));
    document.head.append(part);
  }))).then(() => {
    nodes.forEach((node) => {
      const text = node.textContent.trim().slice(2, -2); // without \( and \), or \[ and \]
      katex.render(text, node, { displayMode: node.tagName === "DIV", throwOnError: false });
    });
    return document.fonts.ready;
  });
})();
