"""The one who edits while others ask: one change at a time, each a job that can be followed."""

from memoir.server.desk.desk import Desk as Desk
from memoir.server.desk.desk import Limits as Limits
from memoir.server.desk.desk import Order as Order
from memoir.server.desk.desk import Reverted as Reverted
from memoir.server.desk.desk import Taught as Taught
from memoir.server.desk.jobs import Event as Event
from memoir.server.desk.jobs import Job as Job
