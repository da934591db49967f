// The only place of the page where numbers become text. The summary's figures come as text, as report.md has them.

/** Thousands separated, four significant digits below a thousand. */
function plain(value) {
  const size = Math.abs(value);
  if (value === 0) return "0";
  if (Number.isInteger(value) || size >= 1000) return Math.round(value).toLocaleString("en-US");
  return size < 1e-4 ? value.toExponential(2) : String(Number(value.toPrecision(4)));
}

/** A figure of a trial in its metric's unit for the page, without the unit. */
function shownFigure(metric, value) {
  if (value == null) return "–";
  if (metric.unit === "count") return Math.round(value).toLocaleString("en-US");
  const scaled = value / metric.divisor;
  return metric.unit === "fraction" ? value.toFixed(4) : plain(scaled);
}

/** A mark on an axis: `0.001`, `64`, `20k`, `1.5M`. */
function tick(value) {
  const size = Math.abs(value);
  for (const [name, divisor] of [
    ["G", 1e9],
    ["M", 1e6],
    ["k", 1e3],
  ]) {
    if (size >= Math.max(divisor, 1e4)) return Number((value / divisor).toPrecision(6)) + name;
  }
  return size > 0 && size < 1e-4 ? value.toExponential(0) : String(Number(value.toPrecision(6)));
}

/** Whether figures are all positive and the largest is ten times the smallest or more. */
function spansDecades(values) {
  const [low, high] = d3.extent(values);
  return low > 0 && high >= 10 * low;
}

const plural = (count, noun) => `${count.toLocaleString("en-US")} ${noun}${count === 1 ? "" : "s"}`;
