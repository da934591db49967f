// The data of the page, and helpers that every other file uses. Texts of the data become text nodes, never markup.
const DATA = JSON.parse(document.getElementById("data").textContent);
const { axes: AXES, metrics: METRICS, cells: CELLS, trials: TRIALS, models: MODELS } = DATA;
const METRIC = Object.fromEntries(METRICS.map((metric, place) => [metric.name, { ...metric, place }]));
const OWN_AXES = new Set(["seed", "status", "timing"]); // of a trial; all others are its cell's

const state = { view: "summary", search: "", chosen: {}, typed: {}, a: null, b: null, keep: false };

CELLS.forEach((cell, index) => {
  cell.index = index;
});
TRIALS.forEach((trial, index) => {
  trial.index = index;
});

const byId = (id) => document.getElementById(id);

/** An element with attributes and children; a child that is no element is put in as text. */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child != null));
  return made;
}

const cellOf = (trial) => CELLS[trial.cell];
const trialsOf = (cell) => TRIALS.slice(cell.trials[0], cell.trials[1]);
const valueOf = (trial, axis) => (OWN_AXES.has(axis) ? trial[axis] : cellOf(trial).values[axis]);
const keyOf = (trial) => `${trial.id}-${(trial.environment || "").slice(0, 8)}`;

/** A figure of a trial; null where it was not measured. */
const figureOf = (trial, name) => trial.metrics?.[METRIC[name].place] ?? null;
/** [mean, low, high, text, best] of a cell; null where it was not measured. */
const meanOf = (cell, name) => cell.figures[METRIC[name].place];

/** The axes that name a cell beside its model: `digits · cpu · batch size 64`. */
function settingText(cell, but = []) {
  return AXES.filter((axis) => !OWN_AXES.has(axis.name) && axis.name !== "model" && !but.includes(axis.name))
    .map(
      (axis) =>
        (["dataset", "device"].includes(axis.name) ? "" : `${axis.label} `) + textOf(axis, cell.values[axis.name]),
    )
    .join(" · ");
}

const _texts = new Map(AXES.map((axis) => [axis.name, new Map(axis.values)]));
const textOf = (axis, value) => _texts.get(axis.name).get(value) ?? String(value ?? "–");

const nameOf = (trial) =>
  [cellOf(trial).model, settingText(cellOf(trial)), `seed ${trial.seed}`].filter(Boolean).join(" · ");

/** Calls `run` once, `wait` milliseconds after the last of many calls. */
function later(run, wait) {
  let timer = 0;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => run(...given), wait);
  };
}
