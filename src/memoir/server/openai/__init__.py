"""OpenAI's interface: what is asked and answered, as its clients word it."""
