"""Charts of results: one module for each question, each giving a `clipeval.report.chart.Chart`."""
