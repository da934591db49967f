"""Publishing into documents: what stands between markers of a Markdown or reStructuredText file is made anew."""
