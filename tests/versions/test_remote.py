"""Pushing and pulling: what is missing travels, nobody's commits are lost, and nothing is believed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import histories
from fake_hub import FakeHub
from memoir.errors import (
    BadInput,
    BadTransfer,
    PushRejected,
    RemoteUnavailable,
    UnknownName,
    WrongModel,
)
from memoir.store import Store
from memoir.versions.pull import pull
from memoir.versions.push import push
from memoir.versions.remote import Remote, remote_at
from memoir.versions.remote_folder import FolderRemote
from memoir.versions.remote_hub import HubRemote


@pytest.fixture(params=["folder", "hub"])
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> Remote:
    """A remote of either kind, empty."""
    if request.param == "hub":
        return HubRemote("ada/team", FakeHub(tmp_path / "hub"))
    return FolderRemote(str(tmp_path / "team"))


@pytest.fixture
def ours(tmp_path: Path) -> Store:
    """A store with an edit."""
    store = histories.bound(tmp_path / "ours")
    histories.teach(store, "one")
    return store


@pytest.fixture
def theirs(ours: Store, remote: Remote, tmp_path: Path) -> Store:
    """Another store, pulled from what ours pushed."""
    push(ours, remote)
    pull(tmp_path / "theirs", remote)
    return Store(tmp_path / "theirs")


def sent(remote: Remote) -> list[str]:
    """Files of a remote, but for what is only of its kind."""
    folder = remote._folder if isinstance(remote, FolderRemote) else remote._api.latest  # type: ignore[attr-defined]
    found = (str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in found if name != "push.lock")


# ---------------------------------------------------------------------- there and back


def test_a_pulled_store_has_the_same_ids_and_files(ours: Store, theirs: Store) -> None:
    assert histories.ids(theirs) == histories.ids(ours)
    assert theirs.history.refs == {"branch/main": ours.history.tip()}
    (edit,) = theirs.live()
    assert edit.sha256 is not None
    assert theirs.file(edit.sha256).read_bytes() == ours.file(edit.sha256).read_bytes()


def test_only_what_is_missing_travels(ours: Store, theirs: Store, remote: Remote) -> None:
    before = sent(remote)
    histories.teach(ours, "two!")
    done = push(ours, remote)
    assert (done.rows, done.files) == (2, 1)  # the edit and its commit
    assert len(sent(remote)) == len(before) + 2
    fetched: list[str] = []
    fetch = remote.fetch

    def noting(path: str, version: str | None) -> bytes:
        fetched.append(path)
        return fetch(path, version)

    remote.fetch = noting  # type: ignore[method-assign]
    landed = pull(theirs.folder, remote)
    assert (landed.how, landed.rows) == ("fast-forward", 2)
    assert len(set(fetched)) == 2  # the pack and the tensor file
    assert histories.prompts(theirs) == ["one", "two!"]


def test_pushing_and_pulling_again_does_nothing(ours: Store, theirs: Store, remote: Remote) -> None:
    before, files = histories.state(theirs), sent(remote)
    done = push(ours, remote)
    assert (done.before, done.rows, done.files) == (done.tip, 0, 0)
    assert pull(theirs.folder, remote).how == "up to date"
    assert (histories.state(theirs), sent(remote)) == (before, files)


def test_signatures_travel_with_their_commits(ours: Store, remote: Remote, tmp_path: Path) -> None:
    tip = ours.history.tip()
    assert tip is not None
    ours.log.sign(tip, "signed")
    push(ours, remote)
    pull(tmp_path / "new", remote)
    assert Store(tmp_path / "new").log.signatures() == {tip: "signed"}


def test_a_branch_is_pulled_without_the_others(ours: Store, theirs: Store, remote: Remote) -> None:
    histories.new_branch(ours, "work")
    histories.teach(ours, "work")
    push(ours, remote)
    ours.move("HEAD", "main", "switch")
    histories.teach(ours, "main")
    push(ours, remote)
    pull(theirs.folder, remote)
    assert histories.prompts(theirs) == ["one", "main"]
    assert "work" not in [row.body.get("prompt") for row in theirs.log.rows()]
    landed = pull(theirs.folder, remote, "work")
    assert (landed.branch, landed.how) == ("team/work", "aside")
    assert histories.prompts(theirs, landed.tip) == ["one", "work"]


def test_a_new_name_of_a_known_commit_sends_no_rows(ours: Store, remote: Remote) -> None:
    push(ours, remote)
    histories.new_branch(ours, "work")
    done = push(ours, remote)
    assert (done.branch, done.before, done.rows) == ("work", None, 0)


def test_what_was_removed_here_is_fetched_again(ours: Store, theirs: Store, remote: Remote) -> None:
    """Rows stay when a branch is deleted and its files are collected; a pull brings the files back."""
    histories.teach(ours, "two!")
    push(ours, remote)
    tip = theirs.history.tip()
    pull(theirs.folder, remote)
    (_, edit) = theirs.live()
    theirs.move("branch/main", tip, "reset")
    assert edit.sha256 is not None
    theirs.file(edit.sha256).unlink()
    landed = pull(theirs.folder, remote)
    assert (landed.how, landed.rows) == ("fast-forward", 0)
    assert list(theirs.tensors(edit)) == ["value"]


# ---------------------------------------------------------------------- two sides


def test_a_push_that_would_lose_commits_is_rejected(
    ours: Store, theirs: Store, remote: Remote
) -> None:
    histories.teach(theirs, "theirs")
    push(theirs, remote)
    histories.teach(ours, "ours")
    files = sent(remote)
    with pytest.raises(PushRejected) as refused:
        push(ours, remote)
    assert str(refused.value) == (
        f"{remote.address} has commits on 'main' that are not here; nothing was pushed. Get them with: "
        f"memoir pull {remote.address} main"
    )
    assert sent(remote) == files


def test_both_sides_meet_by_pull_merge_and_push(ours: Store, theirs: Store, remote: Remote) -> None:
    histories.teach(theirs, "theirs")
    push(theirs, remote)
    histories.teach(ours, "ours")
    landed = pull(ours.folder, remote)
    assert (landed.branch, landed.how) == ("team/main", "aside")
    (theirs_edit,) = [row for row in ours.live(landed.tip) if row.body["prompt"] == "theirs"]
    tip = ours.history.tip()
    assert tip is not None
    ours.commit([theirs_edit], parents=[tip, landed.tip], why="merge")
    push(ours, remote)
    assert pull(theirs.folder, remote).how == "fast-forward"
    assert histories.prompts(theirs) == histories.prompts(ours) == ["one", "ours", "theirs"]


def _meanwhile(remote: Remote, act: Callable[[], object]) -> None:
    """Have something happen between a push's look at the remote and its writing there."""
    publish = remote.publish

    def late(*given: object) -> bool:
        remote.publish = publish  # type: ignore[method-assign]
        act()
        return publish(*given)  # type: ignore[arg-type]

    remote.publish = late  # type: ignore[method-assign]


def test_of_two_pushes_at_once_the_later_is_rejected(
    ours: Store, theirs: Store, remote: Remote, tmp_path: Path
) -> None:
    histories.teach(ours, "ours")
    histories.teach(theirs, "theirs")
    _meanwhile(remote, lambda: push(theirs, remote))
    with pytest.raises(PushRejected):
        push(ours, remote)
    pull(tmp_path / "third", remote)
    assert histories.prompts(Store(tmp_path / "third")) == ["one", "theirs"]


def test_pushes_of_two_branches_at_once_both_arrive(
    ours: Store, theirs: Store, remote: Remote, tmp_path: Path
) -> None:
    histories.new_branch(ours, "work")
    histories.teach(ours, "ours")
    histories.teach(theirs, "theirs")
    _meanwhile(remote, lambda: push(theirs, remote))
    push(ours, remote)
    pull(tmp_path / "third", remote)
    pull(tmp_path / "third", remote, "work")
    third = Store(tmp_path / "third")
    assert histories.prompts(third) == ["one", "theirs"]
    assert histories.prompts(third, third.history.resolve("team/work")) == ["one", "ours"]


def test_two_first_pushes_at_once_lose_nothing(ours: Store, remote: Remote, tmp_path: Path) -> None:
    other = histories.bound(tmp_path / "other")
    _meanwhile(remote, lambda: push(other, remote))
    with pytest.raises(PushRejected):
        push(ours, remote)


def test_processes_that_push_at_once_all_arrive(ours: Store, tmp_path: Path) -> None:
    names = [f"work-{number}" for number in range(4)]
    for name in names:
        ours.move("HEAD", "main", "switch")
        histories.new_branch(ours, name)
        histories.teach(ours, name)
    team = tmp_path / "team"
    code = (
        "import sys; from memoir.store import Store; from memoir.versions.push import push; "
        "from memoir.versions.remote_folder import FolderRemote; "
        "push(Store(sys.argv[1]), FolderRemote(sys.argv[2]), sys.argv[3])"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(ours.folder), str(team), name])
        for name in names
    ]
    assert [each.wait() for each in started] == [0] * len(names)
    remote = FolderRemote(str(team))
    for name in names:
        landed = pull(tmp_path / "new", remote, name)
        assert histories.prompts(Store(tmp_path / "new"), landed.tip) == ["one", name]


def test_a_push_that_is_always_overtaken_gives_up(ours: Store, remote: Remote) -> None:
    remote.publish = lambda *_given: False  # type: ignore[assignment, method-assign]
    with pytest.raises(RemoteUnavailable, match=r"5 times meanwhile; 'main' was not pushed\. Try"):
        push(ours, remote)


# ---------------------------------------------------------------------- what is refused


def test_a_remote_of_another_model_is_left_alone(
    ours: Store, remote: Remote, tmp_path: Path
) -> None:
    push(ours, remote)
    other = histories.bound(tmp_path / "other", "cd" * 32)
    histories.new_branch(other, "work")
    with pytest.raises(
        WrongModel, match=r"about tiny in float32; nothing was pushed\. Push to another"
    ):
        push(other, remote)
    before = histories.state(other)
    with pytest.raises(WrongModel, match="nothing was taken in"):
        pull(other.folder, remote, "main")
    assert histories.state(other) == before


def test_unknown_branches_are_met_with_those_there_are(
    ours: Store, theirs: Store, remote: Remote, tmp_path: Path
) -> None:
    with pytest.raises(UnknownName, match=r"no branch 'mian'\. Did you mean 'main'"):
        push(ours, remote, "mian")
    with pytest.raises(UnknownName) as refused:
        pull(tmp_path / "new", remote, "work")
    assert str(refused.value) == (
        f"no branch 'work'. Available: main. Looked for in {remote.address}; push it there first."
    )
    assert not (tmp_path / "new").exists()


def test_a_remote_that_nobody_pushed_to_is_named(remote: Remote, tmp_path: Path) -> None:
    with pytest.raises(RemoteUnavailable) as refused:
        pull(tmp_path / "new", remote)
    assert str(refused.value) == (
        f"nothing was pushed to {remote.address}, or you may not see it. Check the address, and for a "
        "repository on the Hub that you are logged in (hf auth login)."
    )
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("what", ["refs.json", "rows", "tensors"])
@pytest.mark.parametrize("how", ["altered", "missing"])
def test_a_damaged_remote_is_refused_whole(
    ours: Store, tmp_path: Path, what: str, how: str
) -> None:
    remote = FolderRemote(str(tmp_path / "team"))
    push(ours, remote)
    pull(tmp_path / "theirs", remote)
    theirs = Store(tmp_path / "theirs")
    histories.teach(ours, "two!")
    push(ours, remote)
    before = histories.state(theirs)
    folder = tmp_path / "team"
    paths = [folder / what] if what == "refs.json" else list((folder / what).iterdir())
    for path in paths:
        path.unlink() if how == "missing" else path.write_bytes(path.read_bytes()[:-2] + b"!!")
    with pytest.raises((BadTransfer, RemoteUnavailable)) as refused:
        pull(theirs.folder, remote)
    assert str(folder) in str(refused.value)
    assert histories.state(theirs) == before


def test_a_remote_that_lacks_a_pack_is_refused(ours: Store, tmp_path: Path) -> None:
    remote = FolderRemote(str(tmp_path / "team"))
    push(ours, remote)
    refs = json.loads((tmp_path / "team" / "refs.json").read_text())
    (tmp_path / "team" / "refs.json").write_text(json.dumps({**refs, "packs": []}))
    with pytest.raises(
        BadTransfer, match=r"builds on the commit .*, which is in none of its packs"
    ):
        pull(tmp_path / "new", remote)
    (tmp_path / "team" / "refs.json").write_text(json.dumps({**refs, "format": 2}))
    with pytest.raises(BadTransfer, match="has layout 2, but this version of memoir reads 1"):
        pull(tmp_path / "new", remote)
    refs["packs"][0]["sha256"] = "../refs"
    (tmp_path / "team" / "refs.json").write_text(json.dumps(refs))
    with pytest.raises(BadTransfer, match=r"its refs\.json is not what memoir push writes"):
        pull(tmp_path / "new", remote)
    assert not (tmp_path / "new").exists()


def test_a_folder_with_something_else_in_it_is_left_alone(ours: Store, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "thesis.tex").write_text("precious")
    with pytest.raises(RemoteUnavailable) as refused:
        push(ours, FolderRemote(str(tmp_path / "work")))
    assert str(refused.value) == (
        f"{tmp_path / 'work'} holds something else than a remote (thesis.tex); nothing was pushed. "
        "Choose a new or empty folder."
    )
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["thesis.tex"]


def test_a_push_that_died_is_made_good_by_the_next(
    ours: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = FolderRemote(str(tmp_path / "team"))
    with monkeypatch.context() as patch:
        patch.setattr(remote, "refs", lambda: (None, None))
        patch.setattr("memoir.versions.remote_folder.FileLock", _dies)
        with pytest.raises(KeyboardInterrupt):
            push(ours, remote)
    assert not (tmp_path / "team" / "refs.json").exists()
    push(ours, remote)
    pull(tmp_path / "new", remote)
    assert histories.prompts(Store(tmp_path / "new")) == ["one"]


def _dies(*_given: object, **_more: object) -> None:
    raise KeyboardInterrupt


# ---------------------------------------------------------------------- addresses


def test_addresses_lead_to_remotes(tmp_path: Path) -> None:
    assert isinstance(remote_at(str(tmp_path / "my facts!")), FolderRemote)
    assert remote_at(str(tmp_path / "my facts!")).name == "my-facts-"
    assert remote_at("hf://ada/team").name == "team"
    with pytest.raises(BadInput, match="'s3://b' is no remote; give a folder, or hf://USER/REPO"):
        remote_at("s3://b")
    with pytest.raises(BadInput, match="'hf://team' names no repository; write hf://USER/REPO"):
        remote_at("hf://team")


def test_a_hub_that_cannot_be_reached_is_named(ours: Store, tmp_path: Path) -> None:
    hub = FakeHub(tmp_path / "hub")
    hub.reachable = False
    with pytest.raises(RemoteUnavailable) as refused:
        push(ours, HubRemote("ada/team", hub))
    assert str(refused.value) == (
        "hf://ada/team cannot be used: no route to host. Check the name, the network, and that you are "
        "logged in with a token that may read and write it (hf auth login)."
    )


def test_many_files_are_pushed_to_a_hub_in_several_commits(
    ours: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memoir.versions.remote_hub.AT_ONCE", 2)
    histories.teach(ours, "two!")
    histories.teach(ours, "three")
    hub = FakeHub(tmp_path / "hub")
    push(ours, HubRemote("ada/team", hub))
    assert hub.commits == 4  # the repository's first one, and three of two files each
    pull(tmp_path / "new", HubRemote("ada/team", hub))
    assert histories.prompts(Store(tmp_path / "new")) == ["one", "two!", "three"]
