// What happens when the page opens: colours, filter, tables, plots, and the trial that its address names.
const THEME = "bench-theme";

function stored(value) {
  try {
    if (value === undefined) return localStorage.getItem(THEME) ?? "";
    localStorage.setItem(THEME, value);
  } catch {
    /* a page from a file may have no storage: the choice lasts as long as the page */
  }
  return value ?? "";
}

function makeTheme() {
  const show = (theme) => {
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
  };
  byId("theme").value = stored();
  show(byId("theme").value);
  byId("theme").addEventListener("change", (event) => {
    stored(event.target.value);
    show(event.target.value);
  });
}

/** Writes the open trials into the address, so that a link shows them. */
function remember() {
  const parts = [state.a && `trial=${keyOf(state.a)}`, state.b && `beside=${keyOf(state.b)}`].filter(Boolean);
  if (parts.length) history.replaceState(null, "", `#${parts.join("&")}`);
}

/** Opens what the address names. A link of the table changes the address: that is how its rows open. */
function followAddress() {
  const asked = new URLSearchParams(location.hash.slice(1));
  const found = (name) => asked.get(name) && TRIALS.find((trial) => keyOf(trial) === asked.get(name));
  const first = found("trial");
  if (!first) return;
  const beside = found("beside");
  if (beside) {
    Object.assign(state, { a: first, b: beside, keep: true });
    showTrials();
  } else openTrial(first);
}

makeTheme();
makeFilter();
makePlots();
showView();
refresh();
addEventListener("hashchange", followAddress);
followAddress();
