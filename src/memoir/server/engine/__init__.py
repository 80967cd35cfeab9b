"""The model behind a server: questions answered side by side, on every served branch."""

from memoir.server.engine.engine import Engine as Engine
from memoir.server.engine.loop import Limits as Limits
