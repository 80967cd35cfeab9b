"""Does a server stay what it was? Hours of use in some minutes: clients who ask, leave, teach, take
back and look around, at random from one seed.

    python benchmarks/soak.py --minutes 15

A real `memoir serve` process on a new store of the default model. Whatever it acknowledged must be so
at the end, every answer must be one that is documented for its request, and it must not keep more and
more memory, threads or open files: after a third of the time it is warm, and from then on growth of its
memory is fitted against time. What the store itself gave it to hold is told apart; how that is reckoned
is told in benchmarks/soak_judging.py. Ends with status 1 if anything is amiss. Writes
benchmarks/results/soak.json.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from common import parsed, parser, write
from memoir.bench.header import circumstances
from memoir.cli.output import progress_bars
from memoir.types import Progress, no_progress
from soak_clients import LIMITS, Crowd, Wants
from soak_facts import PLAIN
from soak_judging import Growth, Held, growth, held, of_edits, of_store
from soak_server import Server

REST = 3.0
"""Seconds until what the last clients left behind is put away."""
SAMPLED = 40
"""Taught prompts that are asked at the end."""
MEGABYTES = 32.0
"""Memory that may be gained and not explained."""
OTHERS = 8
"""Threads and open files that may be."""


class Soaked(NamedTuple):
    """What a server was found to be.

    Attributes:
        seconds: under load.
        answers: how often each kind of request got each status.
        in_force, taken_back, refused: facts that ended so.
        growth: of what it takes of the machine, once warm.
        megabytes: it took at the end, at rest.
        held: by the store, at the end.
        troubles: everything that is amiss.
    """

    seconds: float
    answers: dict[str, dict[str, int]]
    in_force: int
    taken_back: int
    refused: int
    growth: Growth
    megabytes: float
    held: Held
    troubles: list[str]


def main() -> None:
    made = parser(__doc__ or "", data=False)
    made.add_argument("--minutes", type=float, default=15.0, help="under load [default: 15]")
    made.add_argument("--seed", type=int, default=0, help="of all chances [default: 0]")
    args = parsed(made)
    minutes = 1.0 if args.quick else args.minutes
    with progress_bars() as show, TemporaryDirectory(prefix="memoir-soak-") as folder:
        found = soak(Path(folder), 60 * minutes, args.seed, show)
    rows = {"minutes": minutes, "seed": args.seed, "clients": Wants().clients, **plain(found)}
    write(args.out / "soak.json", {**circumstances(), **rows})
    if found.troubles:
        sys.exit("\n".join(["amiss:", *found.troubles]))


def soak(
    folder: Path,
    seconds: float,
    seed: int,
    show: Progress = no_progress,
    wants: Wants | None = None,
) -> Soaked:
    """Put a server under load, and judge it.

    Args:
        folder: for its store and its log.
        seconds: of load.
        seed: of all chances.
        show: told how much of the time is over.
        wants: how clients behave.
    """
    store = folder / "facts"
    with Server(store, folder / "log", *LIMITS) as server:
        before = {prompt: server.says(prompt) for prompt in PLAIN}
        crowd = Crowd(seed, wants)
        crowd.rehearse(server.url)
        crowd.act(server.url, during(0, seconds / 3, seconds, show))
        time.sleep(REST)
        warm, warm_held = server.sample(), held(store)
        with server.sampled(seconds / 200) as samples:
            crowd.act(server.url, during(seconds / 3, seconds, seconds, show))
        troubles = [*crowd.ledger.unexpected, *of_edits(server, crowd.ledger)]
        troubles += answers(server, crowd, before, seed)
        time.sleep(REST)
        end = server.sample()
        status = server.end()
        if status:
            troubles.append(f"it ended with status {status}")
        troubles += server.troubles()
    troubles += of_store(store, crowd.ledger)
    end_held = held(store)
    grown = growth(samples, (warm, end), warm_held, end_held)
    troubles += grown.troubles(MEGABYTES, OTHERS)
    counted: dict[str, dict[str, int]] = {}
    for (what, code), count in sorted(crowd.ledger.answers.items()):
        counted.setdefault(what, {})[str(code)] = count
    return Soaked(
        seconds,
        counted,
        len(crowd.ledger.in_state("in force")),
        len(crowd.ledger.in_state("taken back")),
        len(crowd.ledger.in_state("refused")),
        grown,
        round(end.megabytes, 1),
        end_held,
        troubles,
    )


def answers(server: Server, crowd: Crowd, before: dict[str, str], seed: int) -> list[str]:
    """Where a server at rest answers with something else than it should."""
    known = crowd.ledger.in_state("in force")
    some = random.Random(seed).sample(known, min(SAMPLED, len(known)))
    said = [(each.fact, server.says(each.fact.prompt)) for each in some]
    wrong = [
        f"{fact} was taught, and is answered with {text!r}"
        for fact, text in said
        if not text.strip().startswith(fact.target)
    ]
    return wrong + [
        f"{prompt!r} was answered with {text!r}, and is now with {now!r}"
        for prompt, text in before.items()
        if (now := server.says(prompt)) != text
    ]


def during(begin: float, end: float, whole: float, show: Progress) -> Callable[[], bool]:
    """Whether a part of the time goes on, in seconds; tells how much of all is over."""
    start = time.monotonic() - begin

    def goes_on() -> bool:
        over = time.monotonic() - start
        show("soaking, seconds", round(over), round(whole))
        return over < end

    return goes_on


def plain(found: Soaked) -> dict[str, Any]:
    """The findings as a result file has them."""
    return {**found._asdict(), "growth": found.growth._asdict(), "held": found.held._asdict()}


if __name__ == "__main__":
    main()
