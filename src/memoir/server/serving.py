"""Everything put together: a store is opened, its model loaded, and served until a signal ends it."""

from __future__ import annotations

import asyncio
import ipaddress
import math
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
from sse_starlette.sse import AppStatus

from memoir.editor import Editor
from memoir.errors import BadInput
from memoir.host import Host
from memoir.host.twin import twin
from memoir.server.access import StoreKeys
from memoir.server.app import create_app
from memoir.server.desk import Desk
from memoir.server.editing import routers
from memoir.server.engine import Engine, Limits
from memoir.server.settings import Settings
from memoir.server.telling.logs import written_to
from memoir.store import Store
from memoir.store.address import Address, located
from memoir.types import Progress, no_progress
from memoir.versions.branch import existing

PAGE = Path(__file__).parent / "page"


@dataclass(frozen=True)
class Plan:
    """What is served, and where.

    Attributes:
        store: folder or address of the store; made if it is not there.
        model: as in :meth:`memoir.editor.Editor.open`.
        dtype, device_map: how it is loaded.
        branches: those that are served; the first one is meant where none is named. None for the branch
            in use.
        host, port: where to listen; port 0 for a free one.
        patience: seconds that what is under way is waited for at the end.
        settings: limits of requests.
        engine: limits of what is answered at once.
    """

    store: str
    model: str | None = None
    dtype: str = "auto"
    device_map: str | None = None
    branches: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    port: int = 8400
    patience: float = 30.0
    settings: Settings = field(default_factory=Settings)
    engine: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Ready:
    """What is served now.

    Attributes:
        url: of the server.
        store: where edits are kept.
        model: how it is asked for.
        branches: the served ones; the first one is meant where none is named.
        keyed: whether a key is needed.
    """

    url: str
    store: str
    model: str
    branches: tuple[str, ...]
    keyed: bool


def serve(plan: Plan, ready: Callable[[Ready], None], progress: Progress = no_progress) -> None:
    """Serve until SIGTERM or SIGINT; what is under way then is finished first. What happens is logged
    on standard error.

    Args:
        plan: what and where.
        ready: called when questions can come.
        progress: told while the model is made ready.

    Raises:
        BadInput: others than this machine would be answered and there is no key, or nobody can listen
            there.
        UnknownName: no such model or branch.
        NotServable: the store's method cannot be served.
    """
    place = located(plan.store)
    _check_keys(place, plan.host)
    with _listening(plan.host, plan.port) as listening:
        host = _loaded(plan, progress)
        branches = _branches(place, plan.branches)
        with written_to(sys.stderr):
            asyncio.run(_served(plan, place, host, branches, listening, ready))


async def _served(
    plan: Plan,
    place: Path | Address,
    host: Host,
    branches: Sequence[str],
    listening: socket.socket,
    ready: Callable[[Ready], None],
) -> None:
    keys = StoreKeys(place)
    apart = twin(host)  # before the engine attaches anything
    engine = Engine(host, plan.store, branches, plan.engine)
    desk = Desk(apart, place, branches, engine)

    def told() -> None:
        url = _url(plan.host, listening)
        ready(Ready(url, str(place), engine.model, tuple(branches), keys.any()))

    app = create_app(
        engine,
        keys=keys,
        settings=plan.settings,
        routers=routers(desk, engine),
        page=PAGE if (PAGE / "index.html").is_file() else None,
        draining=lambda: server.should_exit,
    )
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=math.ceil(plan.patience),
    )
    server = _Server(config, desk, plan.patience, told)
    AppStatus.disable_automatic_graceful_drain()  # streams end when what they tell of has ended
    try:
        await server.serve([listening])
    finally:
        await engine.close(plan.patience)


class _Server(uvicorn.Server):
    """Ends with its desk, and in order."""

    def __init__(
        self, config: uvicorn.Config, desk: Desk, patience: float, ready: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._desk, self._patience, self._ready = desk, patience, ready

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Note signals; uvicorn's own way would raise them again before the engine is closed."""
        loop = asyncio.get_running_loop()
        signals = (signal.SIGINT, signal.SIGTERM)
        for each in signals:
            loop.add_signal_handler(each, self.handle_exit, each, None)
        try:
            yield
        finally:
            for each in signals:
                loop.remove_signal_handler(each)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin, and say so."""
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take nothing more; requests under way are answered, while the desk finishes its change and
        refuses those that wait."""
        closing = asyncio.ensure_future(self._desk.close(self._patience))
        await super().shutdown(sockets)
        await closing


def _check_keys(place: Path | Address, host: str) -> None:
    if _loopback(host) or (Store.exists(place) and StoreKeys(place).any()):
        return
    raise BadInput(
        f"listening on {host} would let others ask and edit, and {place} has no key that they would "
        f"need. Make one first: memoir keys add NAME --role ask --store {place}; or listen on "
        "127.0.0.1."
    )


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket of that address; nothing comes in before the server begins."""
    with ExitStack() as stack:
        try:
            kind, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            listening = stack.enter_context(socket.socket(kind, socket.SOCK_STREAM))
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
        except OSError as error:
            raise BadInput(
                f"cannot listen on {host}, port {port}: {error.strerror}. Choose others with --host "
                "and --port; 0 takes a free port."
            ) from error
        yield listening


def _loaded(plan: Plan, progress: Progress) -> Host:
    """The store's model; a store that is not there is made for it."""
    editor = Editor.open(
        plan.model, plan.store, dtype=plan.dtype, device_map=plan.device_map, progress=progress
    )
    with editor:
        return editor.host


def _branches(place: Path | Address, named: Sequence[str]) -> list[str]:
    store = Store(place)
    try:
        for name in named:
            existing(store, name)
        return list(dict.fromkeys(named)) or [store.history.branch]
    finally:
        store.close()


def _url(host: str, listening: socket.socket) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listening.getsockname()[1]}"
