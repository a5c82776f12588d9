import json

import pytest

from hub.base.errors import Denied, NotFound
from hub.db.uow import unit_of_work
from tests.support.cli import make_runner
from tests.support.jobs import run_now

pytestmark = pytest.mark.any_database


def test_prompts_are_imported_listed_and_exported(context, settings, make_user, make_repository, tmp_path):
    hub = make_runner(context, settings, "prompt")
    ada = make_user("ada")
    make_user("bob")
    repository = make_repository(ada, "asks", kind="prompt")
    source = tmp_path / "in.csv"
    source.write_text("title,content,tags\nOne,Say {{x}},a;b\nTwo,,\n")
    done = json.loads(hub("import", "ada/asks", str(source), "--user", "ada", "--json"))
    assert (done["created"], done["errors"][0]["place"]) == (["One.jsonl"], "line 3")
    assert "0 created, 0 replaced, 1 skipped" in hub("import", "prompts/ada/asks", str(source), "--user", "ada")
    hub("import", "ada/asks", str(source), "--user", "bob", refused=Denied)
    hub("import", "ada/none", str(source), "--user", "ada", refused=NotFound)
    run_now(context, "assets.index", repository_id=repository.id)
    listed = json.loads(hub("list", "--search", "say", "--json"))
    assert [(item["repository"], item["title"], item["tags"]) for item in listed] == [("ada/asks", "One", ["a", "b"])]
    assert "One.jsonl" in hub("list", "--repository", "ada/asks")
    assert json.loads(hub("export", "ada/asks", "-"))["content"] == "Say {{x}}"
    with unit_of_work(context) as work:
        work.session.delete(work.session.get_one(type(repository), repository.id))
    assert json.loads(hub("list", "--json")) == []
