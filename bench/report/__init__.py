"""From results to tables, plots and a page; `bench.report.render.render` writes them."""
