// Plots of what the filter keeps, one for each data set and device. Points are cells: mean and 95 % interval.
const MOST_SECTIONS = 6;

const MOST_NAMED = 40; // models in the legend

const MOST_POINTS = 2000; // of one plot

/** A shape that d3 has not, from corners at a distance of one. */
const shape = (share, ...corners) => ({
  draw(context, size) {
    const r = Math.sqrt(size / share);
    corners.forEach(([x, y], at) => context[at ? "lineTo" : "moveTo"](r * x, r * y));
    context.closePath();
  },
});

const SHAPES = {
  circle: d3.symbolCircle,
  square: d3.symbolSquare,
  triangle: d3.symbolTriangle,
  diamond: d3.symbolDiamond,
  down: shape(1.3, [-1, -0.7], [1, -0.7], [0, 1]),
  cross: d3.symbolCross,
  // prettier-ignore
  x: shape(1.75, [0, -0.5], [0.5, -1], [1, -0.5], [0.5, 0], [1, 0.5], [0.5, 1], [0, 0.5], [-0.5, 1], [-1, 0.5],
    [-0.5, 0], [-1, -0.5], [-0.5, -1]),
  star: d3.symbolStar,
};

const LOOKS = new Map(MODELS.map((model, place) => [model, DATA.looks[place]]));

const colourOf = (model) => `var(--c${LOOKS.get(model)[0]})`;

const symbolOf = (model) => SHAPES[LOOKS.get(model)[1]];

const SCALES = {
  color: { domain: MODELS, range: MODELS.map(colourOf) },
  symbol: { domain: MODELS, range: MODELS.map(symbolOf) },
};

/** What each plot shows; `choices` are the menus above it: name → [the names that can be chosen]. */
const DRAWERS = { against: levelByCost, along, curves: learningCurves };
const FIGURES = DATA.plots.map((plot) => ({ ...plot, draw: DRAWERS[plot.draw] }));

const choiceText = (name) =>
  METRIC[name]?.label ??
  DATA.words[name] ??
  AXES.find((axis) => axis.name === name)?.label ??
  name.replaceAll("_", " ");

const axisText = (name) => METRIC[name]?.axis ?? DATA.axis_words[name] ?? choiceText(name);

function makePlots() {
  byId("plots").append(
    ...FIGURES.map((figure) => {
      const menus = Object.entries(figure.choices).map(([kind, names]) => {
        figure[kind] = names[0];
        const menu = element(
          "select",
          {
            "data-choice": kind,
            onchange: (event) => {
              figure[kind] = event.target.value;
              drawFigure(figure);
            },
          },
          names.map((name) => element("option", { value: name }, choiceText(name))),
        );
        return names.length > 1 ? element("label", {}, `${kind} `, menu) : null;
      });
      figure.body = element("div", { class: "bodies" });
      return element(
        "figure",
        { id: `plot-${figure.id}`, "aria-label": figure.title },
        element("figcaption", {}, element("h3", {}, figure.title), menus),
        figure.body,
      );
    }),
  );
  // Drawn again where the width has changed, not the height: drawing changes that, and would take the focus away.
  const watch = new ResizeObserver(
    later(() => FIGURES.filter((figure) => figure.width !== figure.body.clientWidth).forEach(drawFigure), 120),
  );
  FIGURES.forEach((figure) => watch.observe(figure.body));
}

function drawPlots() {
  const models = new Set([...kept.cells].map((index) => CELLS[index].model));
  const names = MODELS.filter((model) => models.has(model));
  byId("legend").replaceChildren(
    ...names.slice(0, MOST_NAMED).map((model) => element("span", {}, mark(model), model)),
    names.length > MOST_NAMED ? `and ${names.length - MOST_NAMED} more` : "",
  );
  FIGURES.forEach(drawFigure);
}

function drawFigure(figure) {
  figure.width = figure.body.clientWidth;
  const width = Math.max(280, Math.min(figure.width || 560, 900));
  const groups = d3.group(
    [...kept.cells].map((index) => CELLS[index]),
    (cell) => cell.section,
  );
  const found = [];
  let drawn = 0;
  for (const [section, cells] of [...groups].sort((a, b) => a[0] - b[0])) {
    if (drawn === MOST_SECTIONS) {
      found.push(
        element(
          "p",
          { class: "quiet" },
          `The first ${MOST_SECTIONS} data sets and devices are drawn; narrow the filter to see others.`,
        ),
      );
      break;
    }
    const chart = figure.draw(figure, cells, width);
    if (!chart) continue;
    drawn += 1;
    found.push(element("p", { class: "panel-title" }, DATA.sections[section].title), chart.node);
    if (chart.note) found.push(element("p", { class: "quiet" }, chart.note));
  }
  figure.body.replaceChildren(
    ...(found.length ? found : [element("p", { class: "quiet" }, "Nothing of what the filter keeps was measured.")]),
  );
}

/** x, y and their intervals of a cell, in the units of the axes. */
function pointsOf(cells, xName, yName) {
  const of = (cell, name) => {
    if (!METRIC[name]) {
      const value = name === "model" ? cell.model : cell.values[name];
      return [value, value, value];
    }
    const found = meanOf(cell, name);
    return found && found.slice(0, 3).map((value) => (value == null ? found[0] : value) / METRIC[name].divisor);
  };
  const points = [];
  for (const cell of cells) {
    const [x, y] = [of(cell, xName), of(cell, yName)];
    if (x && y && x[0] != null) points.push({ cell, model: cell.model, x: x[0], y: y[0], xs: x, ys: y });
  }
  return points;
}

function tipOf(point, names) {
  const { cell } = point;
  const lines = names
    .filter((name) => METRIC[name])
    .map(
      (name) => `${METRIC[name].label}: ${meanOf(cell, name)[3]}${METRIC[name].scale ? ` ${METRIC[name].scale}` : ""}`,
    );
  return [cell.model, settingText(cell), ...lines, `n = ${plural(cell.n, "seed")}`].filter(Boolean).join("\n");
}

/** Interval ends within what an axis can show: positive on a logarithmic one. */
function clamped([mean, low, high], { log }) {
  return [log && low <= 0 ? mean : low, high];
}

function cellPlot(points, { x, y, width, names, lines }) {
  const whole = points.length;
  const shown = points.slice(0, MOST_POINTS);
  shown.forEach((point) => {
    point.tip = tipOf(point, names);
    point.hollow = point.cell.disturbed && names.some((name) => METRIC[name]?.timed);
  });
  const [yLow, yHigh] = [(d) => clamped(d.ys, y)[0], (d) => clamped(d.ys, y)[1]];
  const node = framed(axisOptions(x, width), axisOptions(y, 320), {
    width,
    marks: [
      lines
        ? Plot.line(
            shown.slice().sort((a, b) => a.x - b.x),
            { x: "x", y: "y", z: lines, stroke: "model", strokeOpacity: 0.7 },
          )
        : null,
      Plot.ruleX(shown, { x: "x", y1: yLow, y2: yHigh, stroke: "model", strokeOpacity: 0.8 }),
      x.metric
        ? Plot.ruleY(shown, {
            y: "y",
            x1: (d) => clamped(d.xs, x)[0],
            x2: (d) => clamped(d.xs, x)[1],
            stroke: "model",
            strokeOpacity: 0.8,
          })
        : null,
      Plot.dot(shown, {
        x: "x",
        y: "y",
        symbol: "model",
        stroke: "model",
        fill: "model",
        fillOpacity: (d) => (d.hollow ? 0 : 1),
        strokeWidth: (d) => (d.hollow ? 2 : 0),
        r: 4.5,
      }),
      tipMark(shown),
    ],
  });
  hearPlot(node, shown, (point) => firstOf("summary", point.cell.index));
  const notes = [
    whole > shown.length ? `The first ${MOST_POINTS} of ${whole.toLocaleString("en-US")} rows are drawn.` : "",
    shown.some((point) => point.hollow) ? "Hollow: most of its timings were disturbed." : "",
  ];
  return { node, note: notes.filter(Boolean).join(" ") };
}

/** What is known of an axis: whether it is logarithmic is decided by the means, what fits on it by the intervals. */
function axisOf(name, points, side) {
  const own = {
    label: axisText(name),
    metric: !!METRIC[name],
    share: METRIC[name]?.unit === "fraction",
  };
  own.log = !own.share && spansDecades(points.map((point) => point[side]));
  own.values = points.flatMap((point) => [point[side], ...clamped(point[`${side}s`], own)]);
  return own;
}

/** What models are judged by, which is another metric in a regression, by what it costs. */
function levelByCost(figure, cells, width) {
  const level = DATA.levels.find((name) => pointsOf(cells, figure.cost, name).length);
  if (!level) return null;
  const points = pointsOf(cells, figure.cost, level);
  return cellPlot(points, {
    x: axisOf(figure.cost, points, "x"),
    y: axisOf(level, points, "y"),
    width,
    names: [level, figure.cost],
  });
}

/** A metric along an axis of numbers, in lines; or by model, where the filter keeps one value of each axis. */
function along(figure, cells, width) {
  const by =
    figure.by !== "model" && new Set(cells.map((cell) => cell.values[figure.by])).size > 1 ? figure.by : "model";
  const points = pointsOf(cells, by, figure.metric);
  if (!points.length) return null;
  const rest = AXES.map((axis) => axis.name).filter((name) => name !== by && !OWN_AXES.has(name));
  const x =
    by === "model"
      ? { label: null, ordinal: true }
      : { ...axisOf(by, points, "x"), marked: d3.sort(new Set(points.map((d) => d.x))) };
  return cellPlot(points, {
    x: by === "batch_size" ? { ...x, log: true } : x,
    y: axisOf(figure.metric, points, "y"),
    width,
    names: [figure.metric],
    lines: by === "model" ? null : (d) => d.model + rest.map((name) => d.cell.values[name]).join("|"),
  });
}
