/* The activation is the dial: a random network's function of two inputs, and its total variation, as its activation changes.

   data: {networks: [[W0, b0, W1, b1, ...]] with W as rows, functions: [{name, low, high, values}], paths: [[x, y, x, y]],
   points}. Values are at evenly spaced points; between them g is straight, beyond them constant, as in the book. Functions made
   by hand go on beyond the range that is drawn. */
"use strict";
explore.define("dial", (root, data) => {
  const { el, svg } = explore;
  const HANDLES = 11, PIXELS = 88, ALPHA = 12;

  /* ------------------------------------------------------------------ functions */

  function sampled(name, low, high, count, of) {
    return { name, low, high, beyond: of, values: Array.from({ length: count }, (_, i) => of(low + ((high - low) * i) / (count - 1))) };
  }
  // the error function, Abramowitz and Stegun 7.1.26, to 1.5e-7
  function erf(x) {
    const t = 1 / (1 + 0.3275911 * Math.abs(x));
    const tail = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t * Math.exp(-x * x);
    return Math.sign(x) * (1 - tail);
  }
  const byHand = {
    ReLU: () => sampled("ReLU", -5, 5, 201, (z) => Math.max(z, 0)),
    GELU: () => sampled("GELU", -5, 5, 201, (z) => (z * (1 + erf(z / Math.SQRT2))) / 2),
    "tanh αz": (alpha) => sampled("tanh αz", -5, 5, 801, (z) => Math.tanh(alpha * z)),
    "sin αz": (alpha) => sampled("sin αz", -5, 5, 801, (z) => Math.sin(alpha * z)),
  };

  function at(g, z) {
    const last = g.values.length - 1, place = ((z - g.low) / (g.high - g.low)) * last;
    if (!(place > 0 && place < last)) return g.beyond ? g.beyond(z) : g.values[place > 0 ? last : 0];
    const i = Math.floor(place);
    return g.values[i] + (place - i) * (g.values[i + 1] - g.values[i]);
  }

  /* The network's outputs at points [x, y, x, y, ...]; every pre-activation is multiplied by `scale`. */
  function outputs(layers, g, scale, points) {
    const found = new Float64Array(points.length / 2);
    for (let p = 0; p < found.length; p++) {
      let inside = [points[2 * p], points[2 * p + 1]];
      for (let layer = 0; layer < layers.length; layer += 2) {
        const weights = layers[layer], biases = layers[layer + 1], next = new Array(biases.length), hidden = layer + 2 < layers.length;
        for (let unit = 0; unit < biases.length; unit++) {
          const row = weights[unit];
          let sum = biases[unit];
          for (let i = 0; i < inside.length; i++) sum += row[i] * inside[i];
          next[unit] = hidden ? at(g, scale * sum) : sum;
        }
        inside = next;
      }
      found[p] = inside[0];
    }
    return found;
  }

  /* Mean over paths of the total variation without the straight line between the ends (Equation 2 of the paper). */
  function variation(values, paths, points) {
    let sum = 0;
    for (let path = 0; path < paths; path++) {
      const from = path * points, slope = (values[from + points - 1] - values[from]) / (points - 1);
      for (let i = 1; i < points; i++) sum += Math.abs(values[from + i] - values[from + i - 1] - slope);
    }
    return sum / paths;
  }

  const square = new Float64Array(2 * PIXELS * PIXELS);
  for (let i = 0; i < PIXELS * PIXELS; i++) {
    square[2 * i] = -1 + (2 * (i % PIXELS)) / (PIXELS - 1);
    square[2 * i + 1] = 1 - (2 * Math.floor(i / PIXELS)) / (PIXELS - 1);
  }
  const along = new Float64Array(2 * data.points * data.paths.length);
  data.paths.forEach(([x0, y0, x1, y1], path) => {
    for (let i = 0; i < data.points; i++) {
      const t = i / (data.points - 1), place = 2 * (path * data.points + i);
      along[place] = x0 + t * (x1 - x0);
      along[place + 1] = y0 + t * (y1 - y0);
    }
  });

  /* ------------------------------------------------------------------ state and controls */

  let name = "ReLU", alpha = 3, scale = 3, network = 0, g = byHand.ReLU(), edited = false;
  const names = [...Object.keys(byHand), ...data.functions.map((one) => one.name)];

  function reset() {
    edited = false;
    const learned = data.functions.find((one) => one.name === name);
    g = learned ? { ...learned, values: [...learned.values] } : byHand[name](alpha);
    slope.hidden = !name.includes("α");
    update();
  }
  const pick = explore.choice("Activation", names.map((one) => [one, one]), name, (value) => { name = value; reset(); });
  const slope = explore.slider("α", { min: 0.5, max: ALPHA, step: 0.5, value: alpha }, (value) => { alpha = value; reset(); });
  root.append(
    explore.controls(pick, slope, explore.button("Undo changes", reset)),
    explore.controls(
      explore.slider("Weights times", { min: 1, max: 8, step: 0.5, value: scale }, (value) => { scale = value; update(); }),
      explore.button("Another network", () => { network = (network + 1) % data.networks.length; update(); })));

  /* ------------------------------------------------------------------ the activation, with handles */

  const side = el("div", { class: "explore-side" }), left = el("div"), right = el("div");
  side.append(left, right);
  root.append(side);
  let scales, handles = [];
  const curve = explore.chart(left, "The activation function. Drag a point up or down, or choose it with Tab and use the arrow keys.", 260, (to, width, height) => {
    const frame = { left: 44, top: 26, right: width - 12, bottom: height - 42 };
    const low = Math.min(...g.values, 0), high = Math.max(...g.values, 0), air = 0.15 * (high - low || 1);
    const x = explore.linear([g.low, g.high], [frame.left + 10, frame.right]), y = explore.linear([low - air, high + air], [frame.bottom, frame.top]);
    scales = { x, y };
    explore.axes(to, frame, x, y, { x: "pre-activation z", y: "g(z)" });
    const step = (g.high - g.low) / (g.values.length - 1);
    to.append(svg("path", { class: "run", stroke: "var(--c1)", "stroke-width": 2, d: explore.path(g.values.map((value, i) => [x(g.low + i * step), y(value)])) }));
    handles = Array.from({ length: HANDLES }, (_, k) => handle(k, x, y));
    to.append(...handles);
  });
  curve.picture.setAttribute("role", "group");
  let dragged = null;

  const spacing = () => (g.high - g.low) / (HANDLES - 1);
  function handle(k, x, y) {
    const z = g.low + k * spacing(), value = at(g, z);
    return svg("circle", {
      class: "explore-handle", r: 8, cx: x(z), cy: y(value), tabindex: 0, role: "slider", "aria-orientation": "vertical",
      "aria-label": `g at z = ${explore.number(z, 1)}`, "aria-valuenow": value.toFixed(3), "aria-valuemin": -1000, "aria-valuemax": 1000,
      onkeydown: (event) => {
        const way = { ArrowUp: 1, ArrowDown: -1 }[event.key];
        if (!way) return;
        event.preventDefault();
        bend(k, (way * (scales.y.invert(0) - scales.y.invert(1)) * 8));
        handles[k].focus();
      },
      onpointerdown: (event) => {
        event.preventDefault();
        dragged = { k, y: event.clientY, scales };
        curve.picture.setPointerCapture(event.pointerId);
      },
    });
  }
  /* Lift g around handle k, less and less up to its neighbours; what the function has of fine structure stays. */
  function bend(k, by) {
    const centre = g.low + k * spacing(), step = (g.high - g.low) / (g.values.length - 1);
    g.values = g.values.map((value, i) => value + by * Math.max(0, 1 - Math.abs(g.low + i * step - centre) / spacing()));
    edited = true;
    update();
  }
  curve.picture.addEventListener("pointermove", (event) => {
    if (!dragged) return;
    const { y } = dragged.scales;
    bend(dragged.k, y.invert(event.clientY) - y.invert(dragged.y));
    dragged.y = event.clientY;
  });
  for (const end of ["pointerup", "pointercancel"]) curve.picture.addEventListener(end, () => { dragged = null; curve.redraw(); });

  /* ------------------------------------------------------------------ the function of the network */

  const landscape = el("canvas", { width: PIXELS, height: PIXELS, role: "img", class: "explore-landscape" });
  const told = explore.readout();
  right.append(el("div", { class: "explore-caption" }, "The network's output over its two inputs, each from −1 to 1"), landscape);
  root.append(told);

  function paint(values, low, high) {
    const context = landscape.getContext("2d"), image = context.createImageData(PIXELS, PIXELS);
    for (let i = 0; i < values.length; i++) {
      image.data.set([...explore.viridis(high > low ? (values[i] - low) / (high - low) : 0.5), 255], 4 * i);
    }
    context.putImageData(image, 0, 0);
  }

  /* Total variation in units of the picture's own range, so that a louder function does not count as a more complex one. */
  function measured() {
    const values = outputs(data.networks[network], g, scale, square), low = Math.min(...values), high = Math.max(...values);
    const tv = variation(outputs(data.networks[network], g, scale, along), data.paths.length, data.points);
    return { values, low, high, tv: high > low ? tv / (high - low) : 0 };
  }

  let waiting = false;
  function update() {
    if (!dragged) curve.redraw();
    else moveHandles();
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      const { values, low, high, tv } = measured();
      paint(values, low, high);
      const what = `${edited ? "changed " : ""}${name}${slope.hidden ? "" : `, α = ${alpha}`}`;
      landscape.setAttribute("aria-label", `The network's function with ${what}: total variation ${tv.toFixed(2)}.`);
      landscape.dataset.tv = tv;
      told.replaceChildren(el("strong", {}, `Total variation ${tv.toFixed(2)}`), " with ", what,
        ": how far the output goes up and down along a path through the square, beyond the straight line between its ends, in units of its range over the square; mean of ",
        String(data.paths.length), " paths.");
    });
  }
  /* While dragging, the axes stay as they are: only the line and the handles move. */
  function moveHandles() {
    const { x, y } = dragged.scales, step = (g.high - g.low) / (g.values.length - 1);
    curve.picture.querySelector(".run").setAttribute("d", explore.path(g.values.map((value, i) => [x(g.low + i * step), y(value)])));
    handles.forEach((dot, k) => dot.setAttribute("cy", y(at(g, g.low + k * spacing()))));
  }
  reset();
});
