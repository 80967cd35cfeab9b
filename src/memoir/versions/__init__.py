"""Working with a store's history: what happened, what differs, which names there are. One file, one
verb; none but those that say so need a model."""
