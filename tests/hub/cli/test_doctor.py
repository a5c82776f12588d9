import dataclasses
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from hub.base.health import CheckStatus
from hub.base.settings import environment_of
from hub.cli import doctor
from hub.cli.main import cli
from hub.db.uow import unit_of_work
from hub.http import checks
from hub.jobs.queue import REDIS
from hub.repos.models import LFSObject


@pytest.fixture
def settings(settings, redis_url):
    return dataclasses.replace(settings, redis_url=redis_url)


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """``programs(git="git version 1.2.3")``: a PATH with these programs alone, each of which prints its line."""

    def make(**lines):
        directory = tmp_path / "bin"
        directory.mkdir(exist_ok=True)
        for name, line in lines.items():
            program = directory / name.replace("_", "-")
            program.write_text(f"#!/bin/sh\necho '{line}'\n")
            program.chmod(0o755)
        monkeypatch.setenv("PATH", str(directory))

    return make


def test_a_git_that_is_there_and_new_enough_is_well(context):
    assert checks.check_git(context).status == CheckStatus.OK


@pytest.mark.parametrize("line", [None, "git version 2.20.1"])
def test_a_git_that_is_missing_or_old_is_a_failure(context, programs, line):
    programs(**({"git": line} if line else {}))
    found = checks.check_git(context)
    assert found.status == CheckStatus.FAIL
    assert "Install git 2.34" in found.advice


def test_git_lfs_may_be_missing(context, programs):
    programs()
    assert checks.check_git_lfs(context).status == CheckStatus.WARN
    programs(git_lfs="git-lfs/3.6.1 (GitHub; linux amd64; go 1.23)")
    assert checks.check_git_lfs(context).status == CheckStatus.OK


def test_the_hook_scripts_can_be_executed(context, tmp_path, monkeypatch):
    assert checks.check_hooks(context).status == CheckStatus.OK
    monkeypatch.setattr(checks, "hooks_path", lambda: tmp_path)
    assert checks.check_hooks(context).status == CheckStatus.FAIL
    for name in ("pre-receive", "post-receive"):
        (tmp_path / name).touch(mode=0o644)
    found = checks.check_hooks(context)
    assert "cannot be executed" in found.message
    assert "chmod +x" in found.advice


def test_storage_is_written_read_and_cleaned(context):
    assert checks.check_storage_works(context).status == CheckStatus.OK
    left = list(Path(context.settings.home, "objects").rglob("*doctor*"))
    assert left == []


def test_storage_that_cannot_be_written_is_a_failure(context, tmp_path):
    home = tmp_path / "home"
    (home / "objects").mkdir(parents=True, exist_ok=True)
    (home / "objects" / "staging").rmdir() if (home / "objects" / "staging").exists() else None
    (home / "objects" / "staging").write_text("in the way")
    assert checks.check_storage_works(context).status == CheckStatus.FAIL


def test_a_full_disk_is_a_failure(context):
    assert checks.check_disk(context).status == CheckStatus.OK
    context.settings = dataclasses.replace(context.settings, min_free_disk_bytes=2**60)
    found = checks.check_disk(context)
    assert found.status == CheckStatus.FAIL
    assert "hub gc" in found.advice


def test_clocks_that_agree_are_well_and_others_are_told_apart(context, monkeypatch):
    assert checks.check_clock(context).status == CheckStatus.OK

    class Late(datetime):
        @classmethod
        def now(cls, zone=None):
            return datetime.now(UTC) + timedelta(seconds=skew_s)

    monkeypatch.setattr(checks, "datetime", Late)
    skew_s = 20
    assert checks.check_clock(context).status == CheckStatus.WARN
    skew_s = 200
    assert checks.check_clock(context).status == CheckStatus.FAIL


def test_redis_that_does_not_answer_is_a_failure_only_where_it_was_set(context):
    context[REDIS].connection_pool.connection_kwargs["port"] = 1
    context[REDIS].connection_pool.disconnect()
    assert doctor.check_redis_or_program(context).status == CheckStatus.FAIL
    context.settings = dataclasses.replace(context.settings, redis_url="")
    assert doctor.check_redis_or_program(context).status == CheckStatus.WARN


def test_the_base_url_leads_here(hub_server, context):
    context.settings = dataclasses.replace(context.settings, base_url=hub_server.url)
    found = checks.check_base_url(context)
    assert found.status == CheckStatus.FAIL
    assert "Another hub" in found.message
    answer = hub_server.cli("doctor", "--json", check=False)
    base_url = next(check for check in json.loads(answer.stdout) if check["name"] == "base-url")
    assert base_url["status"] == "ok"


def test_a_base_url_where_nothing_answers_is_a_warning(context):
    context.settings = dataclasses.replace(context.settings, base_url="http://127.0.0.1:1")
    assert checks.check_base_url(context).status == CheckStatus.WARN


def test_a_base_url_of_something_else_is_a_failure(context, s3_server):
    context.settings = dataclasses.replace(context.settings, base_url=f"http://127.0.0.1:{s3_server.port}")
    assert "no hub" in checks.check_base_url(context).message


def test_contents_of_a_plugin_that_is_gone_are_a_failure(context):
    assert doctor.check_contents(context).status == CheckStatus.OK
    with unit_of_work(context) as work:
        work.session.add(LFSObject(oid="a" * 64, size_bytes=1, source="gone", created_at=work.now()))
    found = doctor.check_contents(context)
    assert found.status == CheckStatus.FAIL
    assert "1 by 'gone'" in found.message


def test_the_command_names_every_check_and_fails_when_one_does(context, monkeypatch):
    environment = environment_of(context.settings)
    done = CliRunner().invoke(cli, ["doctor", "--json"], env=environment)
    found = {check["name"]: check["status"] for check in json.loads(done.stdout)}
    assert set(found) == {
        "git", "git-lfs", "hooks", "database", "migrations", "redis", "storage", "disk", "clock", "base-url", "plugins",
        "contents", "search", "mail", "license",
    }  # fmt: skip
    assert done.exit_code == 0
    monkeypatch.setenv("PATH", os.devnull)
    done = CliRunner().invoke(cli, ["doctor"], env={**environment, "PATH": os.devnull})
    assert done.exit_code == 1
    assert "FAIL  git " in done.stdout
