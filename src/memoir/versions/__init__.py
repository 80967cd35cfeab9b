"""Version control of what a model knows: what happened, what differs, which names there are. One file,
one verb; what takes a store needs no model, what takes an editor has one."""
