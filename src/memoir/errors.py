"""Everything memoir can refuse to do, as one tree.

    MemoirError
    ├── BadInput              what was given cannot be used        (also a ValueError)
    │   ├── PromptTooLong     more tokens than the context window holds
    │   └── BadRecord         a line or a field of an input file is malformed
    ├── UnknownName           no such model, site, method, edit…   (also a LookupError)
    ├── EditRefused           the edit was not made; nothing was written
    │   ├── NotConverged      the model still does not say the target
    │   ├── MemoryFull        the method's memory has no room for one more
    │   ├── Objected          it contradicts another, changes nothing, or fires on too much
    │   └── LossNotFinite     the loss became NaN or infinite
    ├── ModelUnavailable      weights could not be fetched, verified or loaded
    ├── JudgeUnavailable      the judging model gave no verdict
    ├── MissingExtra          an optional dependency is not installed
    ├── SigningFailed         no signature could be made or looked at
    ├── NotMergeable          edits that no change of the model's weights can say
    ├── NotServable           a method whose edits cannot be told apart within a batch
    ├── ServerBusy            too many questions wait already
    ├── RunError              a benchmark run could not go on; its finished records stay
    │   ├── OtherRun          the run file belongs to another protocol or plan
    │   ├── RunBusy           another process is at work on the same run
    │   ├── RunFull           the disk took no more
    │   └── RunDamaged        a line of a run file is no row
    └── StoreError
        ├── NotAStore         there is no memoir store
        ├── WrongModel        the store belongs to another model
        ├── StoreBusy         another process is writing
        ├── StoreFull         the disk took no more
        ├── CheckFailed       a change breaks something that must hold
        ├── MergeConflict     two branches give one fact different answers
        ├── BadTransfer       what came from elsewhere is damaged, or is not memoir's
        ├── RemoteUnavailable a remote could not be reached, read or written
        ├── PushRejected      a remote has commits that this store lacks
        └── StoreDamaged      a file is missing, truncated or altered

Every message says what happened, what was given, what is allowed, and what to do next.
Whenever one of these is raised, the store and the model are as they were before the call.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class MemoirError(Exception):
    """Base of all errors memoir raises on purpose."""


class BadInput(MemoirError, ValueError):
    """What was given cannot be used."""


class PromptTooLong(BadInput):
    """Prompt and target together exceed the model's context window."""


class BadRecord(BadInput):
    """A record of an input file is malformed; the message names file, line and field."""


class UnknownName(MemoirError, LookupError):
    """A name that is not among the available ones."""

    @classmethod
    def among(cls, kind: str, given: str, available: Iterable[str], hint: str = "") -> UnknownName:
        """Build the message ``no <kind> '<given>'. Did you mean …? Available: …``."""
        names = sorted(available)
        near = get_close_matches(given, names, n=1, cutoff=0.5)
        guess = f" Did you mean '{near[0]}'?" if near else ""
        listed = f" Available: {', '.join(names)}." if names else " None is available."
        return cls(f"no {kind} '{given}'.{guess}{listed}{' ' + hint if hint else ''}")


class EditRefused(MemoirError):
    """The edit was not made, and nothing was written.

    Attributes:
        losses: what the fit minimised (nats), before the first step and after each.
        place: which of the edits given together it was, from 0; None if it was alone.
    """

    def __init__(self, message: str, losses: Sequence[float] = ()) -> None:
        super().__init__(message)
        self.losses = tuple(losses)
        self.place: int | None = None


class NotConverged(EditRefused):
    """After the last step the model still does not say the target."""


class MemoryFull(EditRefused):
    """The method's memory has no room for one more edit."""


class Objected(EditRefused):
    """There is something to say against the edit; ``--force`` makes it all the same.

    Attributes:
        objections: everything there is to say, against all edits given together.
    """

    def __init__(self, message: str, objections: Sequence[object] = ()) -> None:
        super().__init__(message)
        self.objections = tuple(objections)


class LossNotFinite(EditRefused):
    """The loss became NaN or infinite."""


class ModelUnavailable(MemoirError):
    """Weights could not be fetched, verified or loaded."""


class JudgeUnavailable(MemoirError):
    """The judging model gave no verdict; nothing was judged in its place."""


class MissingExtra(MemoirError):
    """An optional dependency is not installed; the message names the command that installs it."""


class SigningFailed(MemoirError):
    """No signature could be made or looked at: the key, or the program that works with it, is amiss."""


class NotMergeable(MemoirError):
    """No change of the model's weights says what these edits say."""


class RunError(MemoirError):
    """A benchmark run could not go on; its finished records stay."""


class OtherRun(RunError):
    """A run or result file belongs to another protocol version, or to another plan."""


class RunBusy(RunError):
    """Another process is at work on the same run."""


class RunFull(RunError):
    """The disk took no more; the unfinished row was removed."""


class RunDamaged(RunError):
    """A line of a run file is no row; the message names it."""


class NotServable(MemoirError):
    """A method that does not decide prompt by prompt, so that one batch cannot hold several states."""


class ServerBusy(MemoirError):
    """Too many questions wait already.

    Attributes:
        retry_after: seconds after which it is worth trying again.
    """

    def __init__(self, message: str, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class StoreError(MemoirError):
    """The store could not be used as asked."""


class NotAStore(StoreError):
    """There is no memoir store, or one that this version cannot read."""


class WrongModel(StoreError):
    """The store was made for another model, or for another version of its weights."""


class StoreBusy(StoreError):
    """Another process kept the store's write lock for longer than we would wait."""


class StoreFull(StoreError):
    """The disk took no more; the unfinished write was removed."""


class CheckFailed(StoreError):
    """A change breaks something that must hold; nothing was changed.

    Attributes:
        broken: what would not be answered as it must be.
    """

    def __init__(self, message: str, broken: Sequence[object] = ()) -> None:
        super().__init__(message)
        self.broken = tuple(broken)


class MergeConflict(StoreError):
    """Two branches give one fact different answers; nothing was changed.

    Attributes:
        conflicts: each with both edits.
    """

    def __init__(self, message: str, conflicts: Sequence[object] = ()) -> None:
        super().__init__(message)
        self.conflicts = tuple(conflicts)


class BadTransfer(StoreError):
    """What came from elsewhere is damaged, or is not memoir's; nothing was taken in."""


class RemoteUnavailable(StoreError):
    """A remote could not be reached, read or written."""


class PushRejected(StoreError):
    """The remote has commits that this store lacks; nothing was pushed."""


class StoreDamaged(StoreError):
    """A file of the store is missing, truncated or altered; the message names it."""
