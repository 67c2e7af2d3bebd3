"""``config``: the settings and their file."""

from pathlib import Path

import pytest
from fixtures.command_line import Run

from s3export.entrypoints.settings import Settings

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An editor that writes down its file and puts what is in ``new`` into it."""
    script = tmp_path / "my editor"
    script.write_text(
        "#!/bin/sh\n"
        f'echo "$2" > "{tmp_path}/edited"; cat "$2" > "{tmp_path}/old"\n'
        f'[ -f "{tmp_path}/new" ] && cat "{tmp_path}/new" > "$2"; exit ${{CODE:-0}}\n'
    )
    script.chmod(0o755)
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", f"'{script}' -x")
    return tmp_path


def test_settings_are_shown_with_their_origins(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Options, variables, lines of the file and defaults, in one document."""
    path = tmp_path / "c.toml"
    path.write_text('# mine\nbucket = "b"\nignore = ["overlap", "country-code"]\n')
    monkeypatch.setenv("S3EXPORT_FORKS", "3")

    ran = run("config", "show", "--config", str(path), "--region", "r", "--json")

    document = ran.document()
    assert ran.code == 0
    assert set(document["settings"]) == set(Settings.model_fields)
    told = {
        name: (setting["value"], setting["origin"], setting["place"])
        for name, setting in document["settings"].items()
    }
    assert told["bucket"] == ("b", "file", f"{path}:2")
    assert told["ignore"] == (["overlap", "country-code"], "file", f"{path}:3")
    assert told["forks"] == (3, "environment", "S3EXPORT_FORKS")
    assert told["region"] == ("r", "option", "--region")
    assert told["sample_size"] == (100, "default", None)


def test_a_secret_is_masked_and_warned_of(run: Run, tmp_path: Path) -> None:
    """In text and in the document."""
    path = tmp_path / "c.toml"
    path.write_text(f'sse_c_key = "{KEY}"\n')

    for option in ((), ("--json",)):
        ran = run("config", "show", "--config", str(path), *option)

        assert KEY not in ran.out + ran.err
        assert f"sse_c_key in {path}:1 is a secret" in ran.err
        assert f"{path}:1" in ran.out


def test_a_file_that_cannot_be_used_is_refused_with_every_line(
    run: Run, tmp_path: Path
) -> None:
    """All at once."""
    path = tmp_path / "c.toml"
    path.write_text("buckt = 1\nforks = 0\n")

    ran = run("config", "show", "--config", str(path))

    assert ran.code == 4
    assert f"buckt from {path}:1: no such setting; did you mean bucket?" in ran.err
    assert f"forks from {path}:2" in ran.err


def test_several_faults_of_the_settings_are_a_line_each(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one next step."""
    monkeypatch.setenv("S3EXPORT_FORKS", "abc")

    ran = run("config", "show", "--endpoint-url", "127.0.0.1:5055")

    assert ran.code == 4
    assert ran.err.splitlines() == [
        "s3export: endpoint_url from --endpoint-url: '127.0.0.1:5055' says no scheme: "
        "write http://127.0.0.1:5055",
        "s3export: forks from the environment (S3EXPORT_FORKS): 'abc' must be a whole "
        "number",
        "  next: correct it, then run the same command again",
    ]


def test_a_rule_that_cannot_be_ignored_is_told_with_its_line(
    run: Run, editor: Path, tmp_path: Path
) -> None:
    """Before a manifest is checked: by show, and by edit."""
    text = 'bucket = "b"\nignore = ["overlp", "sign", "country-code"]\n'
    path = tmp_path / "c.toml"
    path.write_text(text)
    (editor / "new").write_text(text)

    shown = run("config", "show", "--config", str(path))
    edited = run("config", "edit", "--config", str(path))

    for ran in (shown, edited):
        assert ran.code == 4
        assert f"ignore from {path}:2: 'overlp' is no rule" in ran.err
        assert "did you mean overlap?" in ran.err
        assert "the rule sign cannot be ignored" in ran.err


def test_the_path_is_told_whether_or_not_the_file_is_there(run: Run) -> None:
    """It is where the XDG directories say."""
    home = run("config", "path").out.strip()

    assert home.endswith("/.config/s3export/config.toml")
    assert run("config", "path", "--json").document() == {"path": home, "exists": False}


def test_editing_begins_with_every_setting_explained(run: Run, editor: Path) -> None:
    """The file is new, private, and sets nothing."""
    ran = run("config", "edit")

    path = Path(run("config", "path").out.strip())
    assert ran.code == 0
    assert (editor / "edited").read_text().strip() == str(path)
    assert "# bucket = " in (editor / "old").read_text()
    assert ran.out == f"{path} sets: nothing\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_was_edited_is_checked(run: Run, editor: Path) -> None:
    """A mistake is told with its line, and the file is kept as it was written."""
    (editor / "new").write_text("region = 'x'\nfork = 1\n")

    ran = run("config", "edit")

    path = Path(run("config", "path").out.strip())
    assert ran.code == 4
    assert f"fork from {path}:2: no such setting; did you mean forks?" in ran.err
    assert path.read_text() == "region = 'x'\nfork = 1\n"
    (editor / "new").write_text("region = 'x'\nforks = 1\n")
    assert run("config", "edit").out == f"{path} sets: region, forks\n"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("", "no editor is set"),
        ("/nonexistent/editor", "No such file"),
        ("'vi", "No closing quotation"),
        ("false", "ended with status 1"),
    ],
)
def test_an_editor_that_does_not_work_is_named(
    run: Run, monkeypatch: pytest.MonkeyPatch, value: str, said: str
) -> None:
    """With what can be done instead."""
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", value)

    ran = run("config", "edit")

    assert ran.code in (4, 5)
    assert said in ran.err


def test_nobody_is_asked_to_edit_where_nobody_may_be(run: Run, editor: Path) -> None:
    """The editor is not even started."""
    ran = run("config", "edit", "--non-interactive")

    assert ran.code == 4
    assert not (editor / "edited").exists()


def test_what_is_not_one_of_the_three_is_wrong_usage(run: Run) -> None:
    """They are listed."""
    ran = run("config", "delete")

    assert ran.code == 2
    assert "show" in ran.err


@pytest.fixture
def chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """AWS's configuration, and nothing in the environment."""
    for name in ("PROFILE", "DEFAULT_PROFILE", "DEFAULT_REGION", "REGION"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    for name in ("ENDPOINT_URL", "ENDPOINT_URL_S3"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    path = tmp_path / "aws-config"
    path.write_text(
        "[default]\nregion = eu-west-1\n"
        "[profile other]\nregion = eu-north-1\nendpoint_url = http://s3.test:9000\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(path))
    return path


def test_what_awss_chain_says_is_shown_with_its_origin(
    run: Run, chain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Profile, region and endpoint, where no setting of ours goes before it."""
    aws = run("config", "show", "--json").document()["aws"]
    text = run("config", "show").out
    of_profile = "profile default of AWS's configuration"
    assert aws["profile"] == {"value": "default", "origin": "AWS's default"}
    assert aws["region"] == {"value": "eu-west-1", "origin": of_profile}
    assert aws["endpoint_url"] == {
        "value": "https://s3.eu-west-1.amazonaws.com",
        "origin": "AWS's own, of the region",
    }
    assert f"AWS: {of_profile}\n" in text

    monkeypatch.setenv("AWS_PROFILE", "other")
    aws = run("config", "show", "--json", "--region", "x").document()["aws"]
    assert aws == {
        "profile": {"value": "other", "origin": "environment AWS_PROFILE"},
        "endpoint_url": {
            "value": "http://s3.test:9000",
            "origin": "profile other of AWS's configuration",
        },
    }

    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-south-1")
    aws = run("config", "show", "--json").document()["aws"]
    assert aws["region"]["origin"] == "environment AWS_DEFAULT_REGION"
    assert aws["endpoint_url"] == {
        "value": "http://127.0.0.1:1",
        "origin": "environment AWS_ENDPOINT_URL",
    }


def test_a_profile_that_is_not_there_does_not_hide_the_settings(
    run: Run, chain: Path
) -> None:
    """What needs it says so; the settings are shown all the same."""
    ran = run("config", "show", "--profile", "nobody")

    assert ran.code == 0
    assert "nobody" in ran.out
    assert "as AWS's chain has it" in ran.out
