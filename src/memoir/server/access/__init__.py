"""Who may ask what: keys with roles, limits, and what keeps browsers from being misled."""

from memoir.server.access.callers import Caller as Caller
from memoir.server.access.callers import Role as Role
from memoir.server.access.callers import allowed as allowed
from memoir.server.access.keys import Keys as Keys
from memoir.server.access.keys import StoreKeys as StoreKeys
