// The two tables: a row a cell, a row a trial. Tabulator draws the rows that are on the screen, sorts, and scrolls.
const tables = {};
const hiddenColumns = new Set(METRICS.filter((metric) => !metric.shown).map((metric) => metric.name));

const summaryRows = () =>
  CELLS.map((cell) => ({
    id: cell.index,
    model: cell.model,
    n: cell.n,
    ...cell.values,
    state: stateText(cell),
    ...Object.fromEntries(METRICS.map((metric, place) => [metric.name, cell.figures[place]?.[0] ?? null])),
  }));

const trialRows = () =>
  TRIALS.map((trial) => ({
    id: trial.index,
    ...cellOf(trial).values,
    seed: trial.seed,
    status: trial.status,
    timing: trial.timing,
    ...Object.fromEntries(METRICS.map((metric, place) => [metric.name, trial.metrics?.[place] ?? null])),
  }));

function stateText(cell) {
  const found = trialsOf(cell);
  const counts = d3.rollups(
    found,
    (group) => group.length,
    (trial) => trial.status,
  );
  const disturbed = found.filter((trial) => trial.timing === "disturbed").length;
  const texts = counts.map(([status, count]) => (counts.length === 1 ? status : `${count} ${status}`));
  if (disturbed) texts.push(`${disturbed < found.length ? `${disturbed} ` : ""}timings disturbed`);
  return texts.join(", ");
}

/** What was wrong with the timings of trials: each note once. */
const timingTip = (trials) => [...new Set(trials.flatMap((trial) => trial.timing_notes))].join("; ") || null;

/** Numbers by size, texts by the alphabet, what is empty last in both directions. */
function byValue(a, b, rowA, rowB, column, direction) {
  const none = (value) => value == null || value === "";
  if (none(a) || none(b)) return none(a) === none(b) ? 0 : (none(a) ? 1 : -1) * (direction === "asc" ? 1 : -1);
  return typeof a === "number" && typeof b === "number"
    ? a - b
    : String(a).localeCompare(String(b), "en", { numeric: true });
}

/** A column; its head is a button, so that a keyboard reaches it, and its cells are text. */
function column(field, head, more = {}) {
  return {
    field,
    sorter: byValue,
    headerTooltip: false,
    titleFormatter: () => element("button", { type: "button" }, head),
    title: field,
    formatter: (cell) => document.createTextNode(cell.getValue() ?? "–"),
    ...more,
  };
}

const number = (field, head, more = {}) => column(field, head, { hozAlign: "right", headerHozAlign: "right", ...more });

function modelColumn(trialOf) {
  return column("model", "model", {
    frozen: true,
    cssClass: "name",
    minWidth: 90,
    formatter: (cell) =>
      element("a", { href: `#trial=${keyOf(trialOf(cell.getData().id))}` }, mark(cell.getValue()), cell.getValue()),
  });
}

function axisColumns(but) {
  return AXES.filter((axis) => !but.has(axis.name)).map((axis) =>
    (axis.numeric ? number : column)(axis.name, axis.label, {
      formatter: (cell) => document.createTextNode(textOf(axis, cell.getValue())),
    }),
  );
}

function metricColumns(formatter) {
  return METRICS.map((metric) =>
    number(metric.name, metric.head, {
      visible: !hiddenColumns.has(metric.name),
      headerSortStartingDir: metric.higher_is_better ? "desc" : "asc",
      formatter: (cell) => formatter(metric, cell),
    }),
  );
}

function meanText(metric, shown) {
  const cell = CELLS[shown.getData().id];
  const found = meanOf(cell, metric.name);
  const tip = metric.timed && found ? timingTip(trialsOf(cell)) : null;
  if (found) return element(found[4] ? "b" : "span", { title: tip }, found[3]);
  const reasons = [
    ...new Set(
      trialsOf(cell)
        .map((trial) => trial.reason)
        .filter(Boolean),
    ),
  ];
  return element("span", { class: "none", title: reasons.join("; ") || "not measured" }, "–");
}

const tipped = (cell, trials) => element("span", { title: timingTip(trials) }, cell.getValue());

const summaryColumns = () => [
  modelColumn((index) => trialsOf(CELLS[index])[0]),
  ...axisColumns(new Set(["model", ...OWN_AXES])),
  number("n", "seeds"),
  ...metricColumns(meanText),
  column("state", "state", { formatter: (cell) => tipped(cell, trialsOf(CELLS[cell.getData().id])) }),
];

const trialColumns = () => [
  modelColumn((index) => TRIALS[index]),
  ...axisColumns(new Set(["model", "status", "timing"])),
  column("status", "status"),
  column("timing", "timing", { formatter: (cell) => tipped(cell, [TRIALS[cell.getData().id]]) }),
  ...metricColumns((metric, cell) => document.createTextNode(shownFigure(metric, cell.getValue()))),
];

/** Makes the table of a view the first time that it is shown. */
function tableOf(view) {
  if (tables[view]) return tables[view];
  const table = new Tabulator(byId(view), {
    data: view === "summary" ? summaryRows() : trialRows(),
    columns: view === "summary" ? summaryColumns() : trialColumns(),
    layout: "fitDataFill",
    maxHeight: "min(34rem, 72vh)",
    nestedFieldSeparator: false,
    rowHeight: 34,
    placeholder: "Nothing is left: clear the filter.",
    resizableRows: false,
    columnDefaults: { resizable: false },
    initialFilter: (row) => passes(view, row.id),
  });
  table.on("rowClick", (event, row) => {
    if (!event.target.closest("a") && !String(getSelection())) openTrial(firstOf(view, row.getData().id));
  });
  table.on("tableBuilt", () => {
    table.ready = true;
  });
  byId(view).addEventListener("keydown", walkRows);
  return (tables[view] = table);
}

const firstOf = (view, index) =>
  view === "trials"
    ? TRIALS[index]
    : (trialsOf(CELLS[index]).find((trial) => keptTrials.has(trial.index)) ?? trialsOf(CELLS[index])[0]);

let keptTrials = new Set(TRIALS.keys());
const passes = (view, index) => (view === "summary" ? kept.cells : keptTrials).has(index);

function filterTables() {
  keptTrials = new Set(kept.trials.map((trial) => trial.index));
  for (const [view, table] of Object.entries(tables)) {
    if (table.ready && view === state.view) table.setFilter((row) => passes(view, row.id));
  }
}

function showView() {
  for (const view of ["summary", "trials"]) byId(view).hidden = view !== state.view;
  const known = tables[state.view];
  tableOf(state.view);
  if (known?.ready) {
    known.setFilter((row) => passes(state.view, row.id));
    known.redraw(true);
  }
  makeColumnBoxes();
}

/** Up and down go from row to row. */
function walkRows(event) {
  const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
  const next = step && event.target.closest(".tabulator-row")?.[step]?.querySelector("a");
  if (next) {
    event.preventDefault();
    next.focus();
    next.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
}

function makeColumnBoxes() {
  byId("columns")
    .querySelector(".panel")
    .replaceChildren(
      ...METRICS.map((metric) => {
        const box = element("input", { type: "checkbox", checked: !hiddenColumns.has(metric.name) });
        box.addEventListener("change", () => {
          hiddenColumns[box.checked ? "delete" : "add"](metric.name);
          for (const table of Object.values(tables)) table[box.checked ? "showColumn" : "hideColumn"](metric.name);
        });
        return element("label", { title: metric.meaning }, box, ` ${metric.head}`);
      }),
    );
}
