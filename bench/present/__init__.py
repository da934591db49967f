"""How figures look: numbers become text, tables, axes and colours. Nothing else formats a number."""
