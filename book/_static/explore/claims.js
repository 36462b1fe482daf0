/* The claims: filtered by part of the paper and by verdict, each condition of a rule as a dot against its threshold.

   data: {claims: [{name, section, verdict, label, statement, paper, rule, asked: [text], history: [text], evidence, anchor, conditions:
   [{name, where, value, low, high, bound, infinite, threshold, holds, unit}]}]}; numbers are null where there is none; bound:
   value is a lower bound; infinite: a ratio to runs that never get there. Conditions of one name share an axis. */
"use strict";
explore.define("claims", (root, data) => {
  const { el, svg } = explore;
  const VERDICTS = { reproduced: ["●", 2], "in part": ["◐", 4], "not reproduced": ["○", 7], "not yet run": ["–", null] };
  const STRIP = 150, LINE = 11, TALL = 22;
  for (const one of data.claims.flatMap((claim) => claim.conditions)) if (one.infinite) one.value = Infinity; // JSON has none
  let section = "", verdict = "", mixed = false;

  /* ------------------------------------------------------------------ conditions */

  /* Where a value stands on its condition's axis, from -1 to 1 with the threshold at 0; what holds is above 0. */
  function position(claim, condition) {
    const far = Math.max(...claim.conditions.filter((other) => other.name === condition.name)
      .flatMap((other) => [other.value, other.low, other.high].filter(Number.isFinite).map((value) => Math.abs(value - other.threshold))), 1e-12);
    const side = condition.value >= condition.threshold === condition.holds ? 1 : -1;
    return (value) => Math.max(-1, Math.min(1, (side * (value - condition.threshold)) / far));
  }

  /* The conditions of a claim, each group of one name behind a line with that name. */
  const titled = (claim) => claim.conditions.flatMap((condition, i) =>
    (i && claim.conditions[i - 1].name === condition.name ? [condition] : [condition.name, condition]));

  /* The conditions of a claim, a line each: interval, dot (filled if it holds), the threshold in the middle. */
  function strip(claim, lines, line) {
    const height = Math.max(1, lines.length) * line, middle = STRIP / 2, half = middle - 12; // room for arrows
    const held = claim.conditions.filter((condition) => condition.holds).length;
    const picture = svg("svg", { viewBox: `0 0 ${STRIP} ${height}`, width: STRIP, height, role: "img",
      "aria-label": `${held} of ${claim.conditions.length} conditions of ${claim.name} hold` });
    if (claim.conditions.length) picture.append(svg("line", { x1: middle, x2: middle, y1: 0, y2: height, class: "threshold" }));
    lines.forEach((condition, i) => {
      if (typeof condition === "string") return;
      if (condition.value === null) {
        picture.append(svg("path", { d: `M5,${(i + 0.5) * line - 3}l6,6m0,-6l-6,6`, stroke: "var(--c7)", "stroke-width": 1.8 }));
        return;
      }
      const at = position(claim, condition), y = (i + 0.5) * line, x = (value) => middle + half * at(value);
      const ink = condition.holds ? "var(--c2)" : "var(--c7)";
      if (condition.low !== null && condition.high !== null)
        picture.append(svg("line", { x1: x(condition.low), x2: x(condition.high), y1: y, y2: y, stroke: ink, "stroke-width": 2 }));
      const tip = x(Infinity) > middle ? 4 : -4; // towards larger values
      if (condition.bound || condition.infinite) picture.append(svg("path", { d: `M${x(condition.value)},${y}H${tip > 0 ? STRIP - 3 : 3}m${-tip},-3l${tip},3l${-tip},3`, stroke: ink, fill: "none", "stroke-width": 1.5 }));
      picture.append(svg("circle", { cx: x(condition.value), cy: y, r: Math.min(4.5, line / 2 - 1), stroke: ink, "stroke-width": 1.8, fill: condition.holds ? ink : "var(--explore-page)" }));
    });
    return picture;
  }

  const digits = (value) => (Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2);
  const written = (value) => explore.number(value, digits(value)).replace("-", "−");
  function inWords({ where, value, low, high, bound, threshold, holds, unit }) {
    const gap = unit ? ` ${unit}` : "", place = where && `${where}: `;
    if (value === null) return `${place}nothing could be measured`;
    if (value === Infinity) return `${place}beyond all that was measured (threshold ${written(threshold)}), ${holds ? "holds" : "does not hold"}`;
    const interval = low !== null && high !== null ? ` [${written(low)}, ${written(high)}]` : "";
    const amount = `${bound ? "at least " : ""}${written(value)}${interval}${gap}`;
    return `${place}${amount} (threshold ${written(threshold)}), ${holds ? "holds" : "does not hold"}`;
  }

  /* ------------------------------------------------------------------ one claim */

  function row(claim) {
    const [sign, colour] = VERDICTS[claim.verdict];
    const box = el("details", { class: "explore-claim" });
    box.append(el("summary", {},
      el("span", { class: "explore-claim-head" },
        el("strong", {}, claim.name), " ",
        el("span", { class: "explore-verdict", style: colour === null ? "" : `color: var(--c${colour})` }, el("span", { "aria-hidden": "true" }, `${sign} `), claim.label),
        el("span", { class: "explore-statement" }, claim.statement)),
      strip(claim, claim.conditions, LINE)));
    box.addEventListener("toggle", () => {
      if (!box.open || box.children.length > 1) return;
      box.append(el("div", { class: "explore-claim-body" },
        el("p", {}, el("strong", {}, "The paper: "), claim.paper),
        claim.conditions.length > 0 && el("div", { class: "explore-conditions" }, strip(claim, titled(claim), TALL),
          el("ul", {}, titled(claim).map((line) => (typeof line === "string" ? el("li", {}, el("em", {}, line))
            : el("li", { title: inWords(line) }, inWords(line)))))),
        el("p", {}, el("strong", {}, "The rule: "), claim.rule), claim.asked.length > 0 && el("ul", {}, claim.asked.map((text) => el("li", {}, text))),
        el("p", {}, el("strong", {}, "Its history: ")), el("ul", {}, claim.history.map((text) => el("li", {}, text))),
        el("p", {}, el("a", { href: claim.evidence }, "The evidence"), " · ", el("a", { href: claim.anchor }, "this claim below"))));
    });
    return box;
  }

  /* ------------------------------------------------------------------ filters */

  const list = el("div"), told = explore.readout();
  const sections = [...new Set(data.claims.map((claim) => claim.section))], kinds = Object.keys(VERDICTS).filter((kind) => data.claims.some((claim) => claim.verdict === kind));
  root.append(
    explore.controls(
      explore.choice("Part", [["", "all"], ...sections.map((name) => [name, name])], section, (value) => { section = value; update(); }),
      explore.choice("Verdict", [["", "all"], ...kinds.map((name) => [name, name])], verdict, (value) => { verdict = value; update(); }),
      explore.tick("with a condition that does not hold", mixed, (on) => { mixed = on; update(); })),
    told, list);
  const rows = data.claims.map((claim) => [claim, row(claim)]);
  list.append(...rows.map(([, box]) => box));

  function update() {
    let count = 0;
    for (const [claim, box] of rows) {
      const shown = (!section || claim.section === section) && (!verdict || claim.verdict === verdict) && (!mixed || claim.conditions.some((one) => !one.holds));
      box.hidden = !shown;
      count += shown;
    }
    told.replaceChildren(el("strong", {}, `${count} of ${data.claims.length} claims`),
      ". Each dot is a condition of the claim's rule, filled and right of the line where it holds; the line is its threshold, the bar a 95 % interval. Open a claim for its numbers and its rule.");
  }
  update();
});
