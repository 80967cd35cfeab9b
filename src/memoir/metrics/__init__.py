"""One file, one metric: pure functions of what a model said."""
