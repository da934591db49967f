// The section of a trial: figures, settings, diagnosis, timing, environment, log; a second trial beside it.

/** Shows a trial: in the first place, or beside the one that was kept. */
function openTrial(trial) {
  if (state.keep && state.a && trial !== state.a) state.b = trial;
  else [state.a, state.b] = [trial, null];
  showTrials();
  remember();
  byId("trial").scrollIntoView({ block: "start" });
  byId("trial").focus({ preventScroll: true });
}

function showTrials() {
  const shown = [state.a, state.b].filter(Boolean);
  byId("trial-title").textContent = shown.length === 2 ? "Two trials" : "Trial";
  if (!shown.length) return;
  const parts = [
    element(
      "div",
      { class: "heads" },
      shown.map((trial, place) => headCard(trial, place)),
    ),
    keepButton(),
    element(
      "div",
      { class: "two" },
      block("Figures", figuresTable(shown)),
      element("div", {}, block("Timings", shown.map(timingOf)), block("Settings", pairTable(shown, settingsOf))),
    ),
    block("Diagnosis", diagnosis(shown)),
    block(
      "Environment",
      pairTable(shown, (trial) => DATA.environments[trial.environment] ?? {}),
    ),
    block("Log", element("div", { class: "pair" }, shown.map(logOf))),
  ];
  byId("detail").replaceChildren(...parts);
}

const block = (title, ...content) => element("div", { class: "block" }, element("h3", {}, title), ...content);
const letter = (place) => (state.b ? `${"AB"[place]}: ` : "");
const named = (trial) => letter(trial === state.b ? 1 : 0);

function headCard(trial, place) {
  const seeds = trialsOf(cellOf(trial));
  const links = seeds.slice(0, 60).map((each) =>
    element(
      "button",
      {
        type: "button",
        class: "seed",
        "aria-pressed": String(each === trial),
        title: each.status,
        onclick: () => {
          state[place ? "b" : "a"] = each;
          showTrials();
          remember();
        },
      },
      `${each.seed}`,
    ),
  );
  return element(
    "div",
    { class: "card" },
    element("h3", {}, letter(place), mark(cellOf(trial).model), cellOf(trial).model),
    element(
      "p",
      {},
      [DATA.sections[cellOf(trial).section].title, settingText(cellOf(trial), ["dataset", "device", "environment"])]
        .filter(Boolean)
        .join(" · "),
    ),
    element(
      "p",
      {},
      element(
        "span",
        { class: `status ${trial.status === "ok" && trial.timing !== "disturbed" ? "good" : "bad"}` },
        trial.status + (trial.timing === "disturbed" ? ", timings disturbed" : ""),
      ),
      trial.reason ? ` ${trial.reason}` : "",
    ),
    element(
      "p",
      { class: "seeds", role: "group", "aria-label": "seeds of this row" },
      "seed ",
      links,
      seeds.length > 60 ? ` and ${seeds.length - 60} more` : "",
    ),
    element(
      "p",
      { class: "quiet id" },
      `trial ${trial.id}`,
      trial.run ? ` · run ${trial.run}` : "",
      trial.finished ? ` · ${trial.finished.replace("T", " ")} UTC` : "",
    ),
  );
}

function keepButton() {
  const press = () => {
    state.keep = !state.keep;
    if (!state.keep) state.b = null;
    showTrials();
    remember();
  };
  const text = state.b
    ? "Show the first alone"
    : state.keep
      ? "Now open another row: it will stand beside this one"
      : "Put another trial beside it";
  return element("button", { type: "button", id: "keep", "aria-pressed": String(state.keep), onclick: press }, text);
}

function figuresTable([a, b]) {
  const rows = METRICS.filter((metric) => [a, b].some((trial) => trial && figureOf(trial, metric.name) != null)).map(
    (metric) => {
      const [x, y] = [a, b].map((trial) => (trial ? figureOf(trial, metric.name) : null));
      const doubtful = metric.timed && [a, b].some((trial) => trial?.timing === "disturbed");
      const ratio = !(x > 0 && y != null) ? "–" : doubtful ? "doubtful" : `${plain(Number((y / x).toPrecision(3)))}`;
      const how = a.instruments?.[metric.name];
      return element(
        "tr",
        {},
        element("th", { scope: "row", title: metric.meaning + (how ? ` (${how})` : "") }, metric.head),
        element("td", {}, shownFigure(metric, x)),
        b ? [element("td", {}, shownFigure(metric, y)), element("td", {}, ratio)] : null,
      );
    },
  );
  if (!rows.length) return element("p", { class: "quiet" }, "Nothing was measured.");
  return element(
    "div",
    { class: "scroll" },
    element("table", { class: "figures" }, b ? headRow("", "A", "B", "B / A") : null, element("tbody", {}, rows)),
  );
}

const headRow = (...names) =>
  element(
    "thead",
    {},
    element(
      "tr",
      {},
      names.map((name) => element("th", { scope: "col" }, name)),
    ),
  );

function settingsOf(trial) {
  const { train, measure } = DATA.settings[trial.settings];
  return {
    ...cellOf(trial).values,
    "train.threads": trial.threads ?? train.threads,
    seed: trial.seed,
    code: trial.code,
    commit: trial.commit,
    "measure.target_accuracy": measure.target_accuracy,
    "measure.target_metric": measure.target_metric,
    "measure.target_value": measure.target_value,
    "measure.timeout_seconds": measure.timeout_seconds,
  };
}

function valueText(name, value) {
  if (value == null || value === "") return "–";
  if (typeof value === "object") return Object.keys(value).length ? JSON.stringify(value) : "–";
  return name.endsWith("_bytes") && value >= 2 ** 20 ? `${(value / 2 ** 30).toFixed(1)} GiB` : String(value);
}

/** Names and values of one or two trials; where they differ, a row is marked. */
function pairTable(shown, valuesOf) {
  const [a, b] = shown.map(valuesOf);
  const names = [...new Set([...Object.keys(a), ...Object.keys(b ?? {})])];
  const rows = names
    .filter((name) => [a, b].some((each) => valueText(name, each?.[name]) !== "–"))
    .map((name) => {
      const differs = b && valueText(name, a[name]) !== valueText(name, b[name]);
      return element(
        "tr",
        { class: differs ? "differs" : null },
        element(
          "th",
          { scope: "row" },
          name.replace(/^train\.|_bytes$/g, "").replaceAll("_", " "),
          differs ? " ≠" : "",
        ),
        element("td", {}, valueText(name, a[name])),
        b ? element("td", {}, valueText(name, b[name])) : null,
      );
    });
  if (!rows.length) return element("p", { class: "quiet" }, "Not known: it did not run.");
  return element(
    "div",
    { class: "scroll" },
    element("table", { class: "values" }, b ? headRow("", "A", "B") : null, element("tbody", {}, rows)),
  );
}

function diagnosis(shown) {
  const width = Math.max(280, Math.min((byId("detail").clientWidth - 24) / (innerWidth > 760 ? 2 : 1), 520));
  const plots = ["accuracy", "r2", "loss"]
    .map((kind) => {
      const points = shown.flatMap((trial) =>
        [`train_${kind}`, `validation_${kind}`, `test_${kind}`].flatMap((name) => curvePoints(trial, name, "epoch")),
      );
      return points.length
        ? curvePlot(points, { name: kind, by: "epoch", width, dashed: (d) => dashOf(d, shown) })
        : null;
    })
    .filter(Boolean);
  const matrices = shown.filter((trial) => trial.confusion).map(matrix);
  const sure = shown.filter((trial) => trial.calibration).map((trial) => calibration(trial, width));
  if (!plots.length && !matrices.length)
    return element("p", { class: "quiet" }, "No curves and no confusion matrix are in this page.");
  const told = plots.length
    ? element(
        "p",
        { class: "quiet" },
        DATA.lines[Number(shown.some((trial) => trial.curves?.validation_loss))],
        alike(shown) ? " · B: long dashes, and dashes or dots with gaps" : "",
      )
    : null;
  return element(
    "div",
    {},
    element("div", { class: "pair" }, plots),
    told,
    element("div", { class: "pair" }, matrices),
    element("div", { class: "pair" }, sure),
  );
}

const alike = ([a, b]) => b && cellOf(a).model === cellOf(b).model; // their lines have one colour

function dashOf(point, shown) {
  const second = alike(shown) && point.trial === shown[1];
  if (point.curve.startsWith("validation")) return second ? "1 3 1 6" : "1 3";
  return point.curve.startsWith("train") ? (second ? "9 2 2 2" : "5 3") : second ? "12 3" : "";
}

const TIMINGS = {
  good: "Good: nothing was found that could have disturbed them.",
  rough: "Rough: nothing disturbed them, and they are known less well than to ± 5 %.",
  disturbed: "Disturbed, so they are compared with no others; the accuracy is not affected.",
};

function timingOf(trial) {
  const notes = [...trial.timing_notes, ...(trial.notes ?? [])].map((note) => element("li", {}, note));
  const told = TIMINGS[trial.timing] ?? "Nothing was timed.";
  return element("div", {}, element("p", {}, named(trial), told), notes.length ? element("ul", {}, notes) : null);
}

function logOf(trial) {
  const texts = [trial.traceback, trial.log].filter(Boolean);
  return element(
    "div",
    {},
    texts.length
      ? texts.map((text) =>
          element("pre", { class: "log", tabindex: "0" }, named(trial) + (named(trial) ? "\n" : "") + text),
        )
      : element("p", { class: "quiet" }, named(trial), "It printed nothing, or its log is not in this page."),
  );
}
