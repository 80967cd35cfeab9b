"""Where edits live: an append-only log and one tensor file per edit, in a folder or a database."""

from memoir.store.history import History as History
from memoir.store.rows import Row as Row
from memoir.store.rows import short as short
from memoir.store.rows import taught as taught
from memoir.store.store import Entry as Entry
from memoir.store.store import Store as Store
