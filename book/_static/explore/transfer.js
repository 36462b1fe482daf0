/* The transfer matrix: every activation on every task, in the reader's order, and the two curves behind a cell.

   data: {rows: [{name, easy}], columns: [name], reference, score: rows x columns in %, step, test: rows x columns x steps in
   %}; reference is the index of the column with ReLU. */
"use strict";
explore.define("transfer", (root, data) => {
  const { el, svg } = explore;
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const column = (j) => data.score.map((row) => row[j]);
  let rows = data.rows.map((_, i) => i), columns = data.columns.map((_, j) => j), focus = null;

  const colour = (score) => `rgb(${explore.viridis(score / 100).join(" ")})`;

  /* ------------------------------------------------------------------ order */

  const byName = (names) => (a, b) => names[a].localeCompare(names[b], "en", { numeric: true });
  const ORDERS = { page: "as in the plain figure", mean: "by mean score", name: "by name", cell: "by the chosen cell" };
  let rowOrder = "page", columnOrder = "mean";
  function sort() {
    const natural = (a, b) => a - b, names = data.rows.map((row) => row.name);
    rows.sort({ page: natural, mean: (a, b) => mean(data.score[b]) - mean(data.score[a]), name: byName(names),
      cell: focus ? (a, b) => data.score[b][focus[1]] - data.score[a][focus[1]] : natural }[rowOrder]);
    columns.sort({ page: natural, mean: (a, b) => mean(column(b)) - mean(column(a)), name: byName(data.columns),
      cell: focus ? (a, b) => data.score[focus[0]][b] - data.score[focus[0]][a] : natural }[columnOrder]);
  }
  root.append(explore.controls(
    explore.choice("Tasks", Object.entries(ORDERS), rowOrder, (value) => { rowOrder = value; sort(); update(); }),
    explore.choice("Activations", Object.entries(ORDERS), columnOrder, (value) => { columnOrder = value; sort(); update(); })));

  /* ------------------------------------------------------------------ matrix */

  let geometry;
  const ROW = 17;
  const matrix = explore.chart(root, "Scores of activations (columns) on tasks (rows). Arrow keys go from cell to cell.", (width) => 26 + ROW * data.rows.length + (width < 480 ? 90 : 190), (to, width) => {
    const left = Math.min(170, width * 0.36), cell = (width - left - 4) / columns.length;
    geometry = { left, top: 26, cell };
    to.append(svg("text", { x: 0, y: 14, class: "label" }, "task"), svg("text", { x: left, y: 14, class: "label" }, "score, dark 0 to bright 100 %"));
    rows.forEach((row, i) => {
      const y = 26 + i * ROW, on = focus && focus[0] === row;
      const label = svg("text", { x: left - 6, y: y + 13, "text-anchor": "end", style: on ? "font-weight: 700" : "" }, data.rows[row].name);
      to.append(label);
      if (label.getComputedTextLength() > left - 8) { // squeezed, so that it is not cut off
        label.setAttribute("textLength", left - 8);
        label.setAttribute("lengthAdjust", "spacingAndGlyphs");
      }
      columns.forEach((col, j) => to.append(svg("rect", { x: left + j * cell, y, width: Math.max(1, cell - 0.8), height: ROW - 1, fill: colour(data.score[row][col]) })));
    });
    const bottom = 26 + ROW * rows.length;
    columns.forEach((col, j) => {
      const on = (focus && focus[1] === col) || col === data.reference;
      if (cell < 12 && !on) return; // on a phone there is room for these only: the readout names the others
      to.append(svg("text", { transform: `translate(${left + (j + 0.5) * cell + 4},${bottom + 8}) rotate(-90)`, "text-anchor": "end", style: `${on ? "font-weight: 700" : ""}` }, data.columns[col]));
    });
    if (focus) to.append(svg("rect", { x: left + columns.indexOf(focus[1]) * cell - 1, y: 26 + rows.indexOf(focus[0]) * ROW - 1, width: cell + 1, height: ROW + 1, fill: "none", stroke: "var(--c1)", "stroke-width": 3 }));
  });
  const told = explore.readout();
  root.append(told);

  /* ------------------------------------------------------------------ the curves of a cell */

  const curves = explore.chart(root, "Test accuracy over training steps: the chosen activation and ReLU on the chosen task", 230, (to, width, height) => {
    if (!focus) return;
    const [row, col] = focus, frame = { left: 44, top: 26, right: width - 12, bottom: height - 42 };
    const x = explore.logarithmic([data.step[0], data.step[data.step.length - 1]], [frame.left, frame.right]), y = explore.linear([0, 100], [frame.bottom, frame.top]);
    explore.axes(to, frame, x, y, { x: "training steps", y: "test accuracy (%)" });
    for (const [j, ink, dash] of [[data.reference, 0, "6 2"], [col, 2, null]]) {
      const values = data.test[row][j], last = values[values.length - 1];
      to.append(svg("path", { class: "run", stroke: `var(--c${ink})`, "stroke-width": 2.2, "stroke-dasharray": dash, d: explore.path(values.map((value, i) => [x(data.step[i]), y(value)])) }),
        svg("text", { x: frame.left + 8, y: frame.top + 16 + (ink ? 18 : 0), style: `fill: var(--c${ink}); font-weight: 600` }, `${ink ? "—" : "- -"} ${data.columns[j]}: ${Math.round(last)} % at the end`));
    }
  });

  function look(row, col) {
    focus = [row, col];
    update();
  }
  explore.steer(matrix, {
    at(px, py) {
      const i = Math.floor((py - geometry.top) / ROW), j = Math.floor((px - geometry.left) / geometry.cell);
      if (i < 0 || j < 0 || i >= rows.length || j >= columns.length) return;
      if (!focus || focus[0] !== rows[i] || focus[1] !== columns[j]) look(rows[i], columns[j]);
    },
    key(right, down) {
      const i = (rows.indexOf(focus[0]) + down + rows.length) % rows.length, j = (columns.indexOf(focus[1]) + right + columns.length) % columns.length;
      look(rows[i], columns[j]);
    },
  });

  function update() {
    const [row, col] = focus, kind = data.rows[row].easy ? "speed, as ReLU solves it" : "accuracy at the end";
    told.replaceChildren(el("strong", {}, `${data.columns[col]} on ${data.rows[row].name}: ${explore.number(data.score[row][col])} %`),
      ` of the best activation's ${kind}. Mean over the tasks ${explore.number(mean(column(col)))} %. Point at a cell for another.`);
    matrix.redraw();
    curves.redraw();
  }
  sort();
  look(rows[0], columns[0]);
});
