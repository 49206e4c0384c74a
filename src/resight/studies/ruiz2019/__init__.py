"""Studies: all experiments of a paper as a list of runs, and a report with each of its tables and figures beside ours."""
