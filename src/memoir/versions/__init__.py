"""What git does for files, for what a model knows; one file, one thing to do with a store's history."""
