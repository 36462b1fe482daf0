/* Accuracy against complexity: a marker per run at the step of the reader's choice, its way there, and its function.

   data: {arms: [{name, colour}], datasets: [{name, functions: {key: {low, high, values}}, runs: [{arm, about, key, step, best, tv,
   test}]}]}; accuracies in %, best: the index of the best step, key null where the activation was not learned. */
"use strict";
explore.define("complexity", (root, data) => {
  const { el, svg } = explore;
  let dataset = data.datasets[0], moment = Infinity, most = 0, focus = null; // beyond most: at the best step of each run
  const hidden = new Set();
  const MARKS = ["M-5,0a5,5 0 1,0 10,0a5,5 0 1,0 -10,0", "M-4.5,-4.5h9v9h-9z", "M0,-5.5L5.5,4.5H-5.5z", "M0,-6L6,0L0,6L-6,0z"];

  /* ------------------------------------------------------------------ numbers */

  const first = (run) => run.step.findIndex((step) => step >= 0.1 * run.step[run.step.length - 1]); // of the plain figure too
  const index = (run) => (moment > most ? run.best : Math.min(moment, run.step.length - 1));
  const inArms = () => dataset.runs.filter((run) => !hidden.has(run.arm));
  const shown = () => inArms().filter((run) => run.tv[index(run)] > 0);

  function ranks(values) {
    const order = values.map((_, i) => i).sort((a, b) => values[a] - values[b]), found = new Array(values.length);
    for (let i = 0; i < order.length;) {
      let j = i;
      while (j < order.length && values[order[j]] === values[order[i]]) j++;
      for (let k = i; k < j; k++) found[order[k]] = (i + j - 1) / 2; // ties share their mean rank
      i = j;
    }
    return found;
  }
  /* Spearman's rank correlation of total variation and accuracy over the shown runs; NaN for fewer than three. */
  function correlation(runs) {
    if (runs.length < 3) return NaN;
    const [a, b] = [(run) => run.tv[index(run)], (run) => run.test[index(run)]].map((of) => ranks(runs.map(of)));
    const middle = (runs.length - 1) / 2;
    const sum = (x, y) => x.reduce((total, value, i) => total + (value - middle) * (y[i] - middle), 0);
    return sum(a, b) / Math.sqrt(sum(a, a) * sum(b, b));
  }

  /* ------------------------------------------------------------------ controls */

  const stepBox = el("span"), answer = explore.readout(), edge = el("span"), told = explore.readout();
  function choose(name) {
    dataset = data.datasets.find((one) => one.name === name);
    focus = null;
    most = Math.max(...dataset.runs.map((run) => run.step.length)) - 1;
    moment = most + 1;
    const longest = dataset.runs.find((run) => run.step.length === most + 1);
    stepBox.replaceChildren(explore.slider("Moment", {
      min: first(longest), max: most + 1, step: 1, value: moment,
      format: (i) => i > most ? "each run’s best step" : `${Math.round((100 * longest.step[i]) / longest.step[most])} % of the steps`,
    }, (value) => { moment = value; update(); }));
  }
  choose(dataset.name);
  root.append(
    explore.controls(
      data.datasets.length > 1 && explore.choice("Dataset", data.datasets.map(({ name }) => [name, name]), dataset.name, (name) => { choose(name); update(); }),
      stepBox),
    explore.controls(...data.arms.map((arm, i) => explore.tick(arm.name, true, (on) => {
      if (on) hidden.delete(i); else hidden.add(i);
      update();
    }, arm.colour))),
    answer);

  /* ------------------------------------------------------------------ pictures */

  const side = el("div", { class: "explore-side" });
  let scales;
  /* What an axis shows: the values no further from the middle half than three times its width, on the axis's own scale. */
  function range(of, to = (value) => value, from = to) {
    const values = dataset.runs.flatMap((run) => of(run).filter((value, i) => i >= first(run) && value > 0)).map(to).sort((a, b) => a - b);
    const at = (share) => values[Math.round(share * (values.length - 1))], reach = 3 * (at(0.75) - at(0.25));
    const near = values.filter((value) => value >= at(0.25) - reach && value <= at(0.75) + reach), [low, high] = [near[0], near[near.length - 1]];
    return [low, high].map((end, i) => from(end + (i ? 0.03 : -0.03) * (high - low || 1)));
  }
  const cloud = explore.chart(root, "Test accuracy against total variation, one marker per run. Arrow keys go from run to run.", 320, (to, width, height) => {
    const frame = { left: 44, top: 26, right: width - 12, bottom: height - 42 };
    const x = explore.logarithmic(range((run) => run.tv, Math.log10, (value) => 10 ** value), [frame.left, frame.right]);
    const y = explore.linear(range((run) => run.test), [frame.bottom, frame.top]);
    const inside = (place, [a, b]) => Math.min(b, Math.max(a, place));
    scales = { x: (value) => inside(x(value), [frame.left, frame.right]), y: (value) => inside(y(value), [frame.top, frame.bottom]) };
    explore.axes(to, frame, x, y, { x: "total variation (output units)", y: "test accuracy (%)" });
    const runs = shown(), beyond = runs.filter((run) => {
      const [a, b] = [run.tv[index(run)], run.test[index(run)]];
      return x(a) !== scales.x(a) || y(b) !== scales.y(b);
    }).length;
    edge.textContent = beyond ? ` At the edge because beyond the axes: ${beyond}.` : "";
    if (focus) {
      const points = focus.tv.map((value, i) => [value, focus.test[i]]).filter(([value], i) => value > 0 && i >= first(focus));
      to.append(svg("path", { class: "run", stroke: `var(--c${data.arms[focus.arm].colour})`, "stroke-width": 1.6,
        d: explore.path(points.map(([a, b]) => [scales.x(a), scales.y(b)])) }));
    }
    for (const run of [...runs.filter((run) => run !== focus), ...runs.filter((run) => run === focus)]) {
      const i = index(run);
      to.append(svg("path", { class: "mark", d: MARKS[run.arm % MARKS.length], fill: `var(--c${data.arms[run.arm].colour})`,
        "fill-opacity": focus && run !== focus ? 0.45 : 0.85,
        transform: `translate(${scales.x(run.tv[i])},${scales.y(run.test[i])}) scale(${run === focus ? 1.7 : 1})` }));
    }
  });
  const inset = explore.chart(side, "The activation function of the chosen run", 220, (to, width, height) => {
    if (!focus) return;
    const frame = { left: 44, top: 26, right: width - 12, bottom: height - 42 }, g = dataset.functions[focus.key] || data.relu;
    const x = explore.linear([g.low, g.high], [frame.left, frame.right]);
    const y = explore.linear([Math.min(...g.values), Math.max(...g.values)], [frame.bottom, frame.top]);
    explore.axes(to, frame, x, y, { x: "pre-activation z", y: "g(z)" });
    const step = (g.high - g.low) / (g.values.length - 1);
    to.append(svg("path", { class: "run", stroke: `var(--c${data.arms[focus.arm].colour})`, "stroke-width": 2,
      d: explore.path(g.values.map((value, i) => [x(g.low + i * step), y(value)])) }));
  });
  side.append(told);
  root.append(side);

  function describe(run) {
    const i = index(run);
    return [el("strong", {}, data.arms[run.arm].name), ` ${run.about}: ${explore.number(run.test[i], 1)} % at total variation `
      + `${Number(run.tv[i].toPrecision(3))}, step ${explore.number(run.step[i])}.`];
  }
  function look(run) {
    focus = run;
    update();
  }
  explore.steer(cloud, {
    at(px, py) {
      let best = null, least = 30;
      for (const run of shown()) {
        const i = index(run), away = Math.hypot(scales.x(run.tv[i]) - px, scales.y(run.test[i]) - py);
        if (away < least) [best, least] = [run, away];
      }
      if (best && best !== focus) look(best);
    },
    key(right_, down) {
      const runs = shown().sort((a, b) => a.tv[index(a)] - b.tv[index(b)]), on = right_ || -down;
      if (!runs.length) return;
      const from = focus ? runs.indexOf(focus) : on > 0 ? -1 : runs.length;
      look(runs[(from + on + runs.length) % runs.length]);
    },
  });

  function update() {
    if (focus && !shown().includes(focus)) focus = null;
    const runs = shown(), rho = correlation(runs);
    answer.replaceChildren(el("strong", {}, Number.isNaN(rho) ? "Too few runs for a correlation" : `Rank correlation ${rho < 0 ? "−" : "+"}${Math.abs(rho).toFixed(2)}`),
      ` of total variation and test accuracy over the ${runs.length} runs shown, at this moment.`, edge);
    told.replaceChildren(...(focus ? describe(focus) : ["Point at a marker, or use the arrow keys, for one run, its way through training and its activation function."]));
    inset.box.hidden = !focus;
    cloud.redraw();
    inset.redraw();
  }
  update();
});
