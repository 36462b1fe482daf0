/* What the book's interactive figures share: start-up, elements, scales, axes and controls.

   Classic scripts, not modules: browsers do not load modules from file://, and the book must work there. A page has
   this file, one file per kind of figure (`explore.define`) and one per figure with its data (`explore.data`).
   The plain figure stays on the page: it is what is printed, and what is left where scripts do not run or fail. */
"use strict";
window.explore = (() => {
  const kinds = {}, datasets = {};
  let ids = 0;

  /* ------------------------------------------------------------------ elements */

  function fill(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (value !== undefined && value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
    }
    node.append(...children.flat().filter((child) => child !== undefined && child !== null && child !== false));
    return node;
  }
  const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
  const svg = (tag, attributes, ...children) =>
    fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

  /* ------------------------------------------------------------------ scales and ticks */

  function linear([a, b], [from, to]) {
    const scale = (value) => from + ((value - a) / (b - a || 1)) * (to - from);
    scale.invert = (place) => a + ((place - from) / (to - from)) * (b - a);
    scale.ticks = (count) => {
      const rough = Math.abs(b - a) / Math.max(count, 1) || 1, power = 10 ** Math.floor(Math.log10(rough));
      const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough * 0.999);
      const first = Math.ceil(Math.min(a, b) / step - 1e-9), last = Math.floor(Math.max(a, b) / step + 1e-9);
      return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
    };
    return scale;
  }

  function logarithmic([a, b], range) {
    const inner = linear([Math.log10(a), Math.log10(b)], range);
    const scale = (value) => inner(Math.log10(value));
    scale.invert = (place) => 10 ** inner.invert(place);
    scale.ticks = (count) => {
      const all = [];
      for (let power = Math.floor(Math.log10(a)); power <= Math.ceil(Math.log10(b)); power++)
        for (const n of [1, 2, 5]) all.push(Number((n * 10 ** power).toPrecision(3)));
      const inside = all.filter((value) => value >= a * 0.999 && value <= b * 1.001);
      const decades = inside.filter((value) => Math.abs(Math.log10(value) % 1) < 1e-9);
      return inside.length > count && decades.length > 1 ? decades : inside;
    };
    return scale;
  }

  const short = (value) => (Math.abs(value) >= 1e4 ? `${number(value / 1e3)}k` : String(Number(value.toPrecision(4))));
  const number = (value, digits = 0) =>
    value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });

  const VIRIDIS = [
    [68, 1, 84], [72, 40, 120], [62, 74, 137], [49, 104, 142], [38, 130, 142], [31, 158, 137], [53, 183, 121], [110, 206, 88], [253, 231, 37],
  ];
  /* Red, green and blue of a share from 0 to 1, as matplotlib's viridis. */
  function viridis(share) {
    const place = 8 * Math.min(1, Math.max(0, share)), from = Math.min(7, Math.floor(place));
    return VIRIDIS[from].map((value, channel) => Math.round(value + (place - from) * (VIRIDIS[from + 1][channel] - value)));
  }

  /* ------------------------------------------------------------------ charts */

  /* An SVG that is drawn again, at one unit per pixel, whenever its width changes. `draw(picture, width)` fills it. */
  function chart(parent, label, height, draw) {
    const picture = svg("svg", { class: "explore-chart", role: "img", "aria-label": label });
    const box = el("div", { class: "explore-box" }, picture);
    parent.append(box);
    let width = 0;
    const redraw = () => {
      if (!width) return;
      const tall = typeof height === "function" ? height(width) : height;
      fill(picture, { viewBox: `0 0 ${width} ${tall}`, width, height: tall }, []);
      picture.replaceChildren();
      draw(picture, width, tall);
    };
    new ResizeObserver(([entry]) => {
      const now = Math.round(entry.contentRect.width);
      if (now && now !== width) { width = now; redraw(); }
    }).observe(box);
    return { picture, box, redraw };
  }

  /* Axes with ticks, a grid and labels. `frame` is {left, top, right, bottom} in pixels. */
  function axes(picture, frame, x, y, labels) {
    const { left, top, right, bottom } = frame, group = svg("g", { class: "explore-axes", "aria-hidden": "true" });
    const format = labels.format || short;
    for (const value of x.ticks(Math.max(2, (right - left) / 75))) {
      const place = x(value);
      group.append(svg("line", { x1: place, x2: place, y1: top, y2: bottom, class: "grid" }),
        svg("text", { x: place, y: bottom + 16, "text-anchor": "middle" }, format(value)));
    }
    for (const value of y.ticks(Math.max(2, (bottom - top) / 45))) {
      const place = y(value);
      group.append(svg("line", { x1: left, x2: right, y1: place, y2: place, class: "grid" }),
        svg("text", { x: left - 6, y: place + 4, "text-anchor": "end" }, (labels.formatY || format)(value)));
    }
    if (labels.x) group.append(svg("text", { x: (left + right) / 2, y: bottom + 34, "text-anchor": "middle", class: "label" }, labels.x));
    if (labels.y) group.append(svg("text", { x: left, y: top - 8, "text-anchor": "start", class: "label" }, labels.y));
    picture.append(group);
  }

  const path = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)},${y.toFixed(1)}`).join("");

  /* Where the pointer is in a picture, in its own units. */
  function place(picture, event) {
    const box = picture.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  /* A picture that answers to mouse, touch and arrow keys: `at(x, y)` for the pointer, `key(right, down)` for arrows. */
  function steer({ picture }, { at, key }) {
    fill(picture, { tabindex: 0, role: "application" }, []);
    for (const kind of ["pointermove", "pointerdown"]) picture.addEventListener(kind, (event) => at(...place(picture, event)));
    picture.addEventListener("keydown", (event) => {
      const arrow = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key];
      if (!arrow) return;
      event.preventDefault();
      key(...arrow);
    });
  }

  /* ------------------------------------------------------------------ controls: the browser's own, with labels */

  function choice(label, options, value, change) {
    const id = `explore-${++ids}`;
    const select = el("select", { id, onchange: () => change(select.value) },
      options.map(([key, text]) => el("option", { value: key, selected: String(key) === String(value) }, text)));
    return el("span", { class: "explore-control" }, el("label", { for: id }, label), select);
  }

  function slider(label, { min, max, step, value, format = String }, change) {
    const id = `explore-${++ids}`, shown = el("output", { for: id }, format(value));
    const input = el("input", { id, type: "range", min, max, step, value, "aria-valuetext": format(value), oninput: () => {
      const now = Number(input.value);
      shown.textContent = format(now);
      input.setAttribute("aria-valuetext", format(now));
      change(now);
    } });
    return el("span", { class: "explore-control" }, el("label", { for: id }, label), input, shown);
  }

  function tick(label, checked, change, colour) {
    const id = `explore-${++ids}`;
    const input = el("input", { id, type: "checkbox", checked, onchange: () => change(input.checked) });
    const swatch = colour === undefined ? null : el("span", { class: "explore-swatch", style: `background: var(--c${colour})` });
    return el("span", { class: "explore-control" }, input, el("label", { for: id }, swatch, label));
  }

  const button = (label, press, attributes) => el("button", { type: "button", class: "explore-button", onclick: press, ...attributes }, label);
  const controls = (...nodes) => el("div", { class: "explore-controls" }, nodes);
  const readout = () => el("p", { class: "explore-readout", role: "status" });

  /* ------------------------------------------------------------------ start-up */

  function start(node) {
    const { explore: kind, key } = node.dataset;
    if (!kinds[kind] || !datasets[key]) throw new Error(`no script or no data for the interactive figure ${key}`);
    const live = el("div", { class: "explore-live" });
    const plain = button("Plain figure", () => {
      const shown = node.classList.toggle("explore-off");
      plain.textContent = shown ? "Interactive figure" : "Plain figure";
    });
    node.prepend(live);
    try {
      kinds[kind](live, datasets[key]);
    } catch (error) {
      live.remove(); // the plain figure is there
      throw error;
    }
    node.classList.add("explore-on");
    node.prepend(el("div", { class: "explore-switch" }, plain));
  }

  document.addEventListener("DOMContentLoaded", () => {
    for (const node of document.querySelectorAll("[data-explore]")) {
      try { start(node); } catch (error) { console.error(error); }
    }
  });

  return {
    define: (kind, make) => { kinds[kind] = make; },
    data: (key, value) => { datasets[key] = value; },
    el, svg, linear, logarithmic, short, number, viridis, chart, axes, path, place, steer, choice, slider, tick, button, controls, readout,
  };
})();
