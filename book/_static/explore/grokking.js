/* Steps to a test accuracy of the reader's choice, each arm's seeds, and how many times sooner the learned activation is.

   data: {arms: [{name, colour, short}], settings: [{name, last, runs: [{arm, rate, seed, step, test}]}]}; the first arm is the
   reference; accuracies in % rounded down, so that no rounding lifts one over the threshold. */
"use strict";
explore.define("grokking", (root, data) => {
  const { el, svg } = explore;
  let setting = data.settings[0], threshold = 95, focus = null, stay = false;
  let rates = {};

  /* ------------------------------------------------------------------ numbers */

  /* The first evaluated step at which a run is at the threshold (and, if so chosen, stays there); infinite if never. */
  function reached(run) {
    let found = Infinity;
    for (let i = 0; i < run.step.length; i++) {
      if (run.test[i] < threshold) { if (stay) found = Infinity; } else if (found === Infinity) found = run.step[i];
    }
    return found;
  }
  function median(values) {
    const sorted = [...values].sort((a, b) => a - b), middle = sorted.length >> 1;
    return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }
  const shown = () => setting.runs.filter((run) => run.rate === rates[run.arm]);
  const arm = (i) => shown().filter((run) => run.arm === i);
  const words = (steps) => (steps === Infinity ? `not within ${explore.number(setting.last)} steps` : `${explore.number(steps)} steps`);

  function verdict() {
    const medians = data.arms.map((_, i) => median(arm(i).map(reached)));
    const parts = data.arms.map((one, i) => {
      const steps = arm(i).map(reached), there = steps.filter(Number.isFinite).length;
      return `${one.name}: ${words(medians[i])} (${there} of ${steps.length} seeds get there)`;
    });
    const [reference, learned] = medians;
    if (learned === Infinity) return { ratio: null, bounded: false, parts };
    const bounded = reference === Infinity;
    return { ratio: (bounded ? setting.last : reference) / learned, bounded, parts };
  }
  function ratioWords({ ratio, bounded }) {
    if (ratio === null) return "The learned activation does not get there.";
    if (ratio < 1) return `The learned activation is ${explore.number(1 / ratio, 1)} times later.`;
    return `The learned activation is ${bounded ? "at least " : ""}${explore.number(Math.floor(ratio * 10) / 10, 1)} times sooner.`;
  }

  /* ------------------------------------------------------------------ controls */

  const rateBox = el("span", { class: "explore-controls", style: "margin: 0" });
  function choose(name) {
    setting = data.settings.find((one) => one.name === name);
    focus = null;
    rates = {};
    rateBox.replaceChildren();
    data.arms.forEach((one, i) => {
      const known = [...new Set(setting.runs.filter((run) => run.arm === i).map((run) => run.rate))];
      rates[i] = known[0];
      if (known.length > 1)
        rateBox.append(explore.choice(`Rate of ${one.short}`, known.map((rate) => [rate, rate]), rates[i], (value) => {
          rates[i] = Number(value);
          update();
        }));
    });
  }
  choose(setting.name);
  root.append(explore.controls(
    data.settings.length > 1 && explore.choice("Setting", data.settings.map(({ name }) => [name, name]), setting.name, (name) => { choose(name); update(); }),
    rateBox,
    explore.slider("Accuracy asked for", { min: 50, max: 99, step: 1, value: threshold, format: (value) => `${value} %` }, (value) => { threshold = value; update(); }),
    explore.tick("and kept to the end", stay, (on) => { stay = on; update(); }),
  ));

  const answer = explore.readout();
  root.append(answer);

  /* ------------------------------------------------------------------ picture */

  let scales;
  const picture = explore.chart(root, "Test accuracy over training steps, one line per seed. Arrow keys up and down go from run to run.", 300, (to, width, height) => {
    const frame = { left: 44, top: 44, right: width - 12, bottom: height - 42 };
    const x = explore.logarithmic([Math.max(1, setting.first), setting.last], [frame.left, frame.right]);
    const y = explore.linear([0, 100], [frame.bottom, frame.top]);
    scales = { x, y };
    explore.axes(to, frame, x, y, { x: "training steps", y: "test accuracy (%)" });
    to.append(svg("line", { x1: frame.left, x2: frame.right, y1: y(threshold), y2: y(threshold), class: "rule" }),
      svg("text", { x: frame.left + 4, y: y(threshold) - 5 }, `${threshold} %`));
    for (const run of [...shown().filter((run) => run !== focus), focus].filter(Boolean)) {
      const points = run.step.map((step, i) => [step, run.test[i]]).filter(([step]) => step >= Math.max(1, setting.first));
      const colour = `var(--c${data.arms[run.arm].colour})`, on = run === focus, at = reached(run);
      to.append(svg("path", { class: "run", d: explore.path(points.map(([step, value]) => [x(step), y(value)])), stroke: colour,
        "stroke-width": on ? 3.2 : 1.4, "stroke-opacity": focus && !on ? 0.35 : 0.9, "stroke-dasharray": run.arm ? null : "6 2" }));
      if (at !== Infinity && at >= 1) to.append(svg("circle", { class: "mark", cx: x(at), cy: y(threshold), r: on ? 6 : 4.5, fill: colour }));
    }
    to.append(svg("text", { x: frame.right, y: 14, "text-anchor": "end", style: "font-weight: 600" }, data.arms.map((one, i) =>
      svg("tspan", { dx: i ? 16 : 0, style: `fill: var(--c${one.colour})` }, `${i ? "—" : "- -"} ${one.name}`))));
  });
  const told = explore.readout();
  root.append(told);

  function describe(run, step) {
    let i = run.step.findIndex((value) => value >= step);
    if (i < 0) i = run.step.length - 1;
    return `${data.arms[run.arm].name}, seed ${run.seed}: ${explore.number(run.test[i], 1)} % at step ${explore.number(run.step[i])}; ${threshold} %: ${words(reached(run))}.`;
  }
  function look(run, step) {
    focus = run;
    told.textContent = run ? describe(run, step) : "";
    picture.redraw();
  }
  explore.steer(picture, {
    at(px, py) {
      const step = scales.x.invert(px);
      let best = null, least = 40;
      for (const run of shown()) {
        const i = run.step.findIndex((value) => value >= step);
        if (i < 0) continue;
        const away = Math.abs(scales.y(run.test[i]) - py);
        if (away < least) [best, least] = [run, away];
      }
      if (best) look(best, step);
    },
    key(right, down) {
      const all = shown(), on = right || down, from = focus ? all.indexOf(focus) : on > 0 ? -1 : all.length;
      look(all[(from + on + all.length) % all.length], Infinity);
    },
  });

  function update() {
    const found = verdict();
    answer.replaceChildren(el("strong", {}, ratioWords(found)), el("br"), found.parts.join(" · "));
    if (focus && !shown().includes(focus)) focus = null;
    told.textContent = focus ? describe(focus, Infinity) : "Point at a line, or use the arrow keys, for one seed.";
    picture.redraw();
  }
  update();
});
