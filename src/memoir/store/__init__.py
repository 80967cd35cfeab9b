"""Where edits live: a folder with an append-only log (SQLite) and one tensor file per edit."""

from memoir.store.log import Row as Row
from memoir.store.store import Entry as Entry
from memoir.store.store import Store as Store
from memoir.store.store import taught as taught
