"""Version control of what a model knows."""
