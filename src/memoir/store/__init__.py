"""Where edits live: a folder with an append-only log (SQLite) and one tensor file per edit."""

from memoir.store.history import History as History
from memoir.store.rows import Row as Row
from memoir.store.rows import short as short
from memoir.store.rows import taught as taught
from memoir.store.store import Entry as Entry
from memoir.store.store import Store as Store
