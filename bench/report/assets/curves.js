// Learning curves: one line a trial. The same lines stand in the section of a trial.
const MOST_CURVES = 200;

/** The points of one curve of a trial; without a curve of epochs they are counted. */
function curvePoints(trial, name, by) {
  const { [name]: values, [by]: places } = trial.curves ?? {};
  if (!values) return [];
  return values
    .map((y, step) => ({
      trial,
      curve: name,
      model: cellOf(trial).model,
      x: places?.[step] ?? step + 1,
      y,
      epoch: trial.curves.epoch?.[step] ?? step + 1,
    }))
    .filter((point) => point.y != null && point.x != null);
}

/** How the line of a model is broken: models that share a colour have other dashes, for dots may be too small to tell. */
const LAP = new Set(DATA.looks.map(([colour]) => colour)).size;
const modelDash = ({ model }) => ["", "6 3", "2 3", "8 3 2 3"][Math.floor(MODELS.indexOf(model) / LAP) % 4];

function curvePlot(points, { name, by, width, dashed }) {
  const share = name.includes("accuracy");
  points.forEach((d) => {
    d.tip = `${nameOf(d.trial)}\nepoch ${d.epoch}\n${choiceText(d.curve)}: ${share ? d.y.toFixed(4) : plain(d.y)}`;
  });
  const z = (d) => `${d.trial.index} ${d.curve}`;
  const log =
    by === "train_seconds" && spansDecades(points.map((d) => d.x).filter((x) => x > 0)) && points.every((d) => d.x > 0);
  const groups = d3.groups(points, dashed ?? modelDash);
  const x = { ...axisOptions({ label: axisText(by), log, values: points.map((d) => d.x) }, width), nice: false };
  if (by === "epoch")
    x.ticks = d3.ticks(...d3.extent(points, (d) => d.x), Math.min(8, width / 70)).filter(Number.isInteger);
  const node = framed(x, axisOptions({ label: axisText(name) }, 320), {
    width,
    marks: [
      ...groups.map(([dash, group]) =>
        Plot.line(group, {
          x: "x",
          y: "y",
          z,
          stroke: "model",
          strokeWidth: 1.5,
          strokeOpacity: dashed ? 1 : 0.65,
          strokeDasharray: dash || null,
        }),
      ),
      Plot.dot(points, { x: "x", y: "y", fill: "model", r: points.length > 400 ? 1 : 2.2, symbol: "model" }),
      tipMark(points),
    ],
  });
  hearPlot(node, points, (point) => point.trial);
  return node;
}

function learningCurves(figure, cells, width) {
  const wanted = new Set(cells.map((cell) => cell.index));
  const having = kept.trials.filter((trial) => wanted.has(trial.cell) && trial.curves?.[figure.curve]);
  if (!having.length) return null;
  const shown = having.slice(0, MOST_CURVES);
  const node = curvePlot(
    shown.flatMap((trial) => curvePoints(trial, figure.curve, figure.by)),
    { name: figure.curve, by: figure.by, width },
  );
  return {
    node,
    note:
      having.length > shown.length
        ? `The first ${MOST_CURVES} of ${having.length.toLocaleString("en-US")} trials are drawn.`
        : "",
  };
}
