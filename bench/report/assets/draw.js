// What every plot is drawn with: axes, the frame around marks, tips, and what pointer and keyboard do.
/** The shape and colour of a model, for legend and table. */
function mark(model) {
  const svg = d3.create("svg").attr("viewBox", "-8 -8 16 16").attr("class", "mark").attr("aria-hidden", "true");
  svg.append("path").attr("d", d3.symbol(symbolOf(model), 90)()).attr("fill", colourOf(model));
  return svg.node();
}

/** Round marks of a logarithmic axis: 1, 2 and 5 of each decade, or the decades alone where there are many. */
function logTicks(low, high) {
  const steps = high / low > 500 ? [1] : [1, 2, 5];
  const decades = d3.range(Math.floor(Math.log10(low)), Math.ceil(Math.log10(high)) + 1);
  return decades
    .flatMap((power) => steps.map((step) => step * 10 ** power))
    .filter((value) => value >= low && value <= high);
}

/** An axis for Plot. `values`: what has to fit on it; `marked`: the values that get a mark each. */
function axisOptions({ label, log, ordinal, values = [], marked }, size) {
  const few = marked && marked.length <= 10;
  const options = { label, labelArrow: "none", ticks: few ? marked : Math.max(3, size / 80), tickFormat: tick };
  if (ordinal) return { ...options, ticks: undefined, type: "point", padding: 0.6, tickFormat: shortened };
  if (!log) return { ...options, nice: true };
  const [low, high] = d3.extent(values);
  const domain = [low / (high / low) ** 0.06 / 1.02, high * (high / low) ** 0.06 * 1.02];
  return { ...options, type: "log", domain, axis: null, grid: false, marks: few ? marked : logTicks(...domain) };
}

/** The marks of logarithmic axes as our own: Plot leaves out the labels of most that it is given. */
function logAxes(x, y) {
  const options = { text: tick, labelArrow: "none" };
  return [
    x.marks && [Plot.gridX(x.marks), Plot.axisX(x.marks, { ...options, label: x.label })],
    y.marks && [Plot.gridY(y.marks), Plot.axisY(y.marks, { ...options, label: y.label })],
  ];
}

/** A plot of `marks` between two axes (of `axisOptions`), as large as all of them are. */
function framed(x, y, { width, marks }) {
  return Plot.plot({
    width,
    height: Math.round(Math.min(320, width * 0.72)),
    marginLeft: 58,
    marginBottom: 42,
    marginRight: 22,
    marginTop: 26,
    grid: true,
    style: { fontSize: "12px" },
    ...SCALES,
    x,
    y,
    marks: [logAxes(x, y), marks],
  });
}

/** What stands beside a point that is pointed at. */
const tipMark = (data) =>
  Plot.tip(data, Plot.pointer({ x: "x", y: "y", title: "tip", maxRadius: 40, lineHeight: 1.35, textPadding: 10 }));

const SHORT = new Map(MODELS.map((model, place) => [model, DATA.short[place]]));
const shortened = (name) => SHORT.get(name);

/** A click opens what is pointed at. With a keyboard: arrows go from point to point, Enter opens. */
function hearPlot(node, data, trialOf) {
  const opened = () => {
    if (node.value) openTrial(trialOf(node.value));
  };
  node.setAttribute("tabindex", "0");
  node.setAttribute("role", "application");
  node.setAttribute(
    "aria-label",
    `Plot of ${plural(data.length, "point")}: arrow keys go from point to point, Enter opens a trial`,
  );
  node.addEventListener("click", opened);
  let at = -1;
  node.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (event.key === "Enter") opened();
    if (!step) return;
    event.preventDefault();
    const dots = [...node.querySelectorAll("g[aria-label=dot] > *")];
    at = (at + step + dots.length) % dots.length;
    const box = dots[at].getBoundingClientRect();
    const place = {
      clientX: box.x + box.width / 2,
      clientY: box.y + box.height / 2,
      pointerType: "mouse",
      bubbles: true,
    };
    node.dispatchEvent(new PointerEvent("pointerenter", place));
    node.dispatchEvent(new PointerEvent("pointermove", place));
    requestAnimationFrame(() => {
      byId("pointed").textContent = node.value?.tip ?? "";
    });
  });
}
