"""Published studies as presets: their data, models, figures and artefacts, run by one command or in steps."""
