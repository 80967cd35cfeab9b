"""An edited model served live: OpenAI's interface, edits over HTTP, and a page to watch it."""
