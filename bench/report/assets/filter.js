// The filter above the table drives everything below it. Of an axis: any of the values that are ticked; none: all.
const FEW = 40; // values that get a box each; more are typed

const keyed = (value) => JSON.stringify(value);
const SEARCHED = TRIALS.map((trial) =>
  [
    cellOf(trial).model,
    ...AXES.map((axis) => textOf(axis, valueOf(trial, axis.name))),
    trial.status,
    trial.reason,
    trial.id,
    trial.run,
    trial.timing,
    ...trial.timing_notes,
    ...(trial.notes || []),
  ]
    .join(" ")
    .toLowerCase(),
);

/** What a typed filter keeps: numbers and ranges (`0-9, 12`), else parts of names. */
function typedTest(axis, text) {
  const parts = text
    .split(",")
    .map((part) => part.trim().toLowerCase())
    .filter(Boolean);
  if (!parts.length) return null;
  if (!axis.numeric) return (value) => parts.some((part) => textOf(axis, value).toLowerCase().includes(part));
  const ranges = parts.map((part) => {
    const range = /^(-?[\d.e+]+?)\s*(?:-|–|to)\s*(-?[\d.e+]+)$/.exec(part);
    return range ? [Number(range[1]), Number(range[2])] : [Number(part), Number(part)];
  });
  return (value) => ranges.some(([low, high]) => value >= low && value <= high);
}

/** Tests of the axes that are filtered: [name, value → boolean]. */
function axisTests() {
  return AXES.map((axis) => {
    const chosen = state.chosen[axis.name];
    if (axis.values.length > FEW) return [axis.name, typedTest(axis, state.typed[axis.name] || "")];
    return [axis.name, chosen?.size ? (value) => chosen.has(keyed(value)) : null];
  }).filter(([, test]) => test);
}

/** The trials that are kept, and the cells of which at least one is. */
function filtered() {
  const words = state.search.toLowerCase().split(/\s+/).filter(Boolean);
  const tests = axisTests();
  const cells = new Set();
  const trials = TRIALS.filter((trial) => {
    const kept =
      words.every((word) => SEARCHED[trial.index].includes(word)) &&
      tests.every(([name, test]) => test(valueOf(trial, name)));
    if (kept) cells.add(trial.cell);
    return kept;
  });
  return { trials, cells };
}

let kept = { trials: TRIALS, cells: new Set(CELLS.keys()) };

const refreshPlots = later(() => drawPlots(), 60);

/** Filters anew; the table follows at once, the plots when the hand rests. */
function refresh() {
  kept = filtered();
  filterTables();
  tellCount();
  refreshPlots();
}

function tellCount() {
  const [shown, all, noun] =
    state.view === "summary" ? [kept.cells.size, CELLS.length, "row"] : [kept.trials.length, TRIALS.length, "trial"];
  byId("count").textContent =
    shown === all ? plural(all, noun) : `${shown.toLocaleString("en-US")} of ${plural(all, noun)}`;
}

function makeFilter() {
  byId("search").addEventListener(
    "input",
    later((event) => {
      state.search = byId("search").value;
      refresh();
    }, 80),
  );
  byId("reset").addEventListener("click", clearFilter);
  byId("axes").append(...AXES.map((axis) => (axis.values.length > FEW ? typedFilter(axis) : boxes(axis))));
  for (const radio of document.querySelectorAll("input[name=view]")) {
    radio.addEventListener("change", () => {
      state.view = radio.value;
      showView();
      tellCount();
    });
  }
  document.addEventListener("click", (event) => closeDrops(event.target.closest("details.drop")));
  document.addEventListener("keydown", (event) => {
    const open = event.key === "Escape" && document.querySelector("details.drop[open]");
    if (open) {
      closeDrops(null);
      open.querySelector("summary").focus();
    }
  });
}

const closeDrops = (but) =>
  document.querySelectorAll("details.drop[open]").forEach((each) => {
    each.open = each === but;
  });

function typedFilter(axis) {
  const input = element("input", {
    type: "text",
    class: "typed",
    "data-axis": axis.name,
    autocomplete: "off",
    size: 10,
    placeholder: axis.numeric ? "0-9, 12" : "names",
    "aria-label": `${axis.label}: values to keep`,
  });
  input.addEventListener(
    "input",
    later(() => {
      state.typed[axis.name] = input.value;
      refresh();
    }, 80),
  );
  return element("label", { class: "typed" }, `${axis.label} `, input);
}

function boxes(axis) {
  const label = element("span", {}, axis.label);
  const told = element("b", {}, "");
  const panel = element(
    "div",
    { class: "panel", role: "group", "aria-label": axis.label },
    axis.values.map(([value, text]) => {
      const box = element("input", { type: "checkbox", "data-axis": axis.name, value: text });
      box.addEventListener("change", () => {
        const chosen = (state.chosen[axis.name] ??= new Set());
        chosen[box.checked ? "add" : "delete"](keyed(value));
        told.textContent = chosenText(axis);
        refresh();
      });
      return element("label", {}, box, ` ${text}`);
    }),
  );
  return element("details", { class: "drop", "data-axis": axis.name }, element("summary", {}, label, told), panel);
}

function chosenText(axis) {
  const texts = axis.values.filter(([value]) => state.chosen[axis.name]?.has(keyed(value))).map(([, text]) => text);
  return !texts.length ? "" : texts.length < 3 ? `: ${texts.join(", ")}` : `: ${texts.length} of ${axis.values.length}`;
}

function clearFilter() {
  Object.assign(state, { search: "", chosen: {}, typed: {} });
  byId("search").value = "";
  document.querySelectorAll("#axes input").forEach((input) => {
    input.checked = false;
    if (input.type === "text") input.value = "";
  });
  document.querySelectorAll("#axes summary b").forEach((told) => {
    told.textContent = "";
  });
  refresh();
}
