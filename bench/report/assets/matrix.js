// The confusion matrix of a trial: rows are true classes, columns answers; what is wrong stands out.
const MOST_MISTAKES = 5;

function matrix(trial) {
  const { counts, classes } = trial.confusion;
  const names =
    DATA.classes[classes].length === counts.length ? DATA.classes[classes] : counts.map((_, index) => String(index));
  const most = Math.max(1, ...counts.flatMap((row, i) => row.filter((_, j) => i !== j)));
  const head = element(
    "tr",
    {},
    element("th", { scope: "col", class: "corner" }, "true \\ answer"),
    names.map((name) => element("th", { scope: "col" }, name)),
    ["recall", "precision", "F1"].map((name) => element("th", { scope: "col" }, name)),
  );
  const rows = counts.map((row, i) => {
    const total = d3.sum(row);
    const answered = d3.sum(counts, (each) => each[i]);
    const shares = [
      [row[i], total],
      [row[i], answered],
      [2 * row[i], total + answered],
    ];
    return element(
      "tr",
      {},
      element("th", { scope: "row" }, names[i]),
      row.map((count, j) =>
        matrixCell(count, { right: i === j, most, title: `${names[i]} taken for ${names[j]}: ${count} of ${total}` }),
      ),
      shares.map(([some, all]) => element("td", { class: "recall" }, all ? (some / all).toFixed(2) : "–")),
    );
  });
  return element(
    "div",
    {},
    element(
      "p",
      { class: "panel-title" },
      named(trial),
      `Confusion matrix of ${d3.sum(counts.flat()).toLocaleString("en-US")} test samples. `,
      mistakes(counts, names),
    ),
    element(
      "div",
      { class: "scroll", tabindex: "0" },
      element("table", { class: "matrix" }, element("thead", {}, head), element("tbody", {}, rows)),
    ),
  );
}

function matrixCell(count, { right, most, title }) {
  const cell = element("td", { title, class: right ? "right" : count ? "wrong" : "zero" }, count ? String(count) : "·");
  if (!right && count) cell.style.setProperty("--share", `${Math.round(15 + (55 * count) / most)}%`);
  return cell;
}

function mistakes(counts, names) {
  const found = counts
    .flatMap((row, i) => row.map((count, j) => ({ count, i, j })))
    .filter(({ count, i, j }) => i !== j && count);
  found.sort((a, b) => b.count - a.count);
  const texts = found.slice(0, MOST_MISTAKES).map(({ count, i, j }) => `${names[i]} for ${names[j]} (${count})`);
  return texts.length ? `Most often taken: ${texts.join(", ")}.` : "Nothing was mistaken.";
}

/** How often the model is right where it is sure to some degree: on the line, it is as often as it says. */
function calibration(trial, width) {
  const points = trial.calibration.map(([count, x, y]) => ({
    x,
    y,
    count,
    model: cellOf(trial).model,
    tip: `${plural(count, "sample")}\nconfidence: ${x.toFixed(3)}\nright: ${y.toFixed(3)}`,
  }));
  const axis = (label) => ({ ...axisOptions({ label }, 320), domain: [0, 1], nice: false, ticks: 5 });
  const node = framed(axis("confidence"), axis("share that is right"), {
    width,
    marks: [
      Plot.line(
        [
          { x: 0, y: 0 },
          { x: 1, y: 1 },
        ],
        { x: "x", y: "y", stroke: "currentColor", strokeDasharray: "2 4", strokeOpacity: 0.6 },
      ),
      Plot.line(points, { x: "x", y: "y", stroke: "model" }),
      Plot.dot(points, {
        x: "x",
        y: "y",
        fill: "model",
        symbol: "model",
        r: (d) => 2 + 6 * Math.sqrt(d.count / d3.sum(points, (each) => each.count)),
      }),
      tipMark(points),
    ],
  });
  hearPlot(node, points, () => trial);
  return element(
    "div",
    {},
    element("p", { class: "panel-title" }, named(trial), "Calibration: how often it is right, by how sure it is."),
    node,
  );
}
