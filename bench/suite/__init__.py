"""What to run: a TOML file becomes a Suite, a Suite becomes trials. No torch: a catalogue says what is registered."""
