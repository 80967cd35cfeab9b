"""The verbs that bring stores elsewhere, on stores that no model was needed for."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

import histories
import tiny
from memoir.cli import app
from memoir.store import Store

Command = Callable[..., Result]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = histories.bound(tmp_path / "facts")
    histories.teach(store, "one")
    return store


@pytest.fixture
def memoir(store: Store, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run the command on this test's store, in a wide terminal."""
    monkeypatch.setenv("MEMOIR_STORE", str(store.folder))
    monkeypatch.setenv("COLUMNS", "400")

    def run(*words: object, code: int = 0) -> Result:
        result = CliRunner().invoke(app, [str(word) for word in words])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result

    return run


def test_edits_are_exported_as_an_adapter(memoir: Command, store: Store, tmp_path: Path) -> None:
    saved, folder, tip = tiny.save(tmp_path / "model"), tmp_path / "adapter", store.history.tip()
    assert tip is not None
    assert memoir("export-peft", folder, "--model", saved).stdout == (
        f"{folder} is a PEFT adapter with 1 edits of {tip[:10]} in it, for tiny (float32)\n"
    )
    told = json.loads((folder / "adapter_config.json").read_text())
    assert (told["peft_type"], told["base_model_name_or_path"]) == ("MEMOIR", str(saved))
    assert [edit["body"]["prompt"] for edit in told["edits"]] == ["one"]
    bound = str(store.history.ordered(tip)[0])
    told = memoir("export-peft", tmp_path / "v0", "--ref", bound, "--model", saved, "--json").stdout
    assert json.loads(told) == {
        **{"folder": str(tmp_path / "v0"), "commit": bound, "edits": 0},
        "identity": histories.SETTINGS["identity"],
    }
    refused = memoir("export-peft", folder, "--model", saved, "--json", code=1).stdout
    assert "is not an empty folder; choose a new one for the PEFT adapter." in refused


def test_a_store_is_exported_and_imported(memoir: Command, store: Store, tmp_path: Path) -> None:
    file, new, tip = tmp_path / "facts.memoir", tmp_path / "new", store.history.tip()
    assert tip is not None
    told = memoir("export", file).stdout
    assert told.startswith(f"{file} holds 'main' at {tip[:10]}: 4 rows, 1 tensor files (")
    assert told.endswith("for tiny (float32)\n")
    told = memoir("import", file, "--store", new).stdout
    assert told.startswith(f"{new} is a store with branch 'main' at {tip[:10]}\n4 rows and ")
    assert memoir("import", file).stdout == (
        f"nothing to do: branch 'main' has {tip[:10]} already\n"
    )
    histories.teach(Store(new), "theirs")
    histories.teach(store, "ours")
    told = memoir("export", tmp_path / "more", "--store", new, "--json").stdout
    assert json.loads(told)["rows"] == 6
    told = memoir("import", tmp_path / "more").stdout
    assert told.startswith("branch 'imported/main' is at ")
    assert "merge it with: memoir merge imported/main\n" in told
    told = memoir("import", tmp_path / "more", "--json").stdout
    assert json.loads(told)["how"] == "up to date"


def test_a_damaged_file_ends_with_exit_code_1(memoir: Command, tmp_path: Path) -> None:
    (tmp_path / "thesis").write_text("a thesis")
    result = memoir("import", tmp_path / "thesis", "--json", code=1)
    assert json.loads(result.stdout)["error"]["type"] == "BadTransfer"
    assert "is no bundle, or a damaged one" in result.stderr


def test_a_branch_is_pushed_and_pulled(memoir: Command, store: Store, tmp_path: Path) -> None:
    team, new, tip = tmp_path / "team", tmp_path / "new", store.history.tip()
    assert tip is not None
    assert memoir("push", team).stdout == (
        f"'main' on {team} moved to {tip[:10]}: 4 rows, 1 tensor files\n"
    )
    assert memoir("push", team).stdout == f"nothing to do: {team} has 'main' at {tip[:10]}\n"
    told = memoir("pull", team, "--store", new, "--json").stdout
    assert json.loads(told)["how"] == "created"
    histories.teach(Store(new), "theirs")
    done = json.loads(memoir("push", team, "main", "--store", new, "--json").stdout)
    assert (done["before"], done["rows"], done["files"]) == (tip, 2, 1)
    histories.teach(store, "ours")
    refused = memoir("push", team, code=1)
    assert f"Get them with: memoir pull {team} main" in refused.stderr
    assert "merge it with: memoir merge team/main" in memoir("pull", team).stdout


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
def test_commits_are_signed_and_verified(memoir: Command, store: Store, tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(key)], check=True
    )
    allowed = tmp_path / "allowed"
    allowed.write_text(f"ada {key.with_suffix('.pub').read_text()}")
    tip = store.history.tip()
    assert tip is not None
    assert memoir("sign", "--key", key).stdout == f"signed {tip[:10]}: one → t\n"
    told = memoir("verify", "--allowed-signers", allowed).stdout
    assert f"   good  {tip[:10]} by ada: one → t\n" in told
    assert told.endswith("2 commits: 1 good, 0 bad, 1 missing\n")
    memoir("verify", "--allowed-signers", allowed, "--require", code=1)
    assert json.loads(memoir("sign", "HEAD~1", "--key", key, "--json").stdout) != [tip]
    memoir("verify", "--allowed-signers", allowed, "--require")
    allowed.write_text("")
    told = memoir("verify", "--allowed-signers", allowed, "--json", code=1).stdout
    assert [each["status"] for each in json.loads(told)] == ["bad", "bad"]


def test_verbs_that_need_no_model_load_none(store: Store, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from memoir.cli import app\n"
        f"for words in (['export', {str(tmp_path / 'f')!r}], ['push', {str(tmp_path / 'team')!r}]):\n"
        f"    assert CliRunner().invoke(app, [*words, '-s', {str(store.folder)!r}]).exit_code == 0\n"
        "sys.exit('transformers' in sys.modules or 'huggingface_hub' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
