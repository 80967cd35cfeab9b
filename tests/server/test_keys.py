"""Keys in a store: made once, kept as hashes, taken away for good."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest

from histories import bound
from memoir.errors import BadInput, UnknownName
from memoir.server.access import Caller, StoreKeys, keys
from memoir.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return bound(tmp_path / "store")


def test_a_secret_is_shown_once_and_kept_as_a_hash(store: Store) -> None:
    secret = keys.add(store, "ann", "edit", "main")
    assert re.fullmatch(r"memoir-[\w-]{43}", secret)
    (key,) = keys.listed(store)
    assert (key.name, key.role, key.branch) == ("ann", "edit", "main")
    assert key.made.endswith(("Z", "+00:00"))
    assert re.fullmatch("[0-9a-f]{64}", key.sha256)
    assert secret not in repr(store.log.config())
    assert secret.removeprefix("memoir-") not in repr(store.log.config())
    assert keys.add(store, "ben", "ask") != secret


def test_a_server_knows_the_keys_of_its_store(store: Store) -> None:
    known = StoreKeys(store.folder, fresh=0)
    assert not known.any()
    assert known.find("memoir-") is None
    ann, ben = keys.add(store, "ann", "admin"), keys.add(store, "ben", "ask", "main")
    assert known.any()
    assert known.find(ann) == Caller("ann", "admin", None)
    assert known.find(ben) == Caller("ben", "ask", "main")
    for wrong in (ann[:-1], ann + "x", ann.upper(), "", keys.listed(store)[0].sha256):
        assert known.find(wrong) is None
    keys.remove(store, "ann")
    assert known.find(ann) is None
    assert known.find(ben) is not None


def test_keys_are_read_by_any_thread_and_not_for_every_request(store: Store) -> None:
    known = StoreKeys(store.folder, fresh=1000)
    secret = keys.add(store, "ann", "ask")
    found: list[Caller | None] = []
    threads = [threading.Thread(target=lambda: found.append(known.find(secret))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [Caller("ann", "ask", None)] * 8
    keys.remove(store, "ann")
    assert known.find(secret) is not None  # still what was read


def test_a_key_that_cannot_be_made_says_why(store: Store) -> None:
    keys.add(store, "ann", "ask")
    with pytest.raises(BadInput, match=r"there is a key 'ann' already.*memoir keys remove ann"):
        keys.add(store, "ann", "edit")
    with pytest.raises(BadInput, match="'a b' cannot name a key"):
        keys.add(store, "a b", "ask")
    with pytest.raises(UnknownName, match=r"no role 'root'.*Available: admin, ask, edit"):
        keys.add(store, "ben", "root")
    with pytest.raises(UnknownName, match=r"no branch 'mian'. Did you mean 'main'"):
        keys.add(store, "ben", "ask", "mian")
    with pytest.raises(UnknownName, match=r"no key 'ben'. Available: ann"):
        keys.remove(store, "ben")
    assert [key.name for key in keys.listed(store)] == ["ann"]
