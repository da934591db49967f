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
    element("th", { scope: "col" }, "right"),
  );
  const rows = counts.map((row, i) => {
    const total = d3.sum(row);
    return element(
      "tr",
      {},
      element("th", { scope: "row" }, names[i]),
      row.map((count, j) =>
        matrixCell(count, { right: i === j, most, title: `${names[i]} taken for ${names[j]}: ${count} of ${total}` }),
      ),
      element("td", { class: "recall" }, total ? (row[i] / total).toFixed(2) : "–"),
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
