"""What is said below the pages, in the language of the page; programs read it in English."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from hub.community.models import Notification
from hub.db.uow import unit_of_work
from hub.web.said import _catalogue

pytestmark = pytest.mark.any_database

CHINESE = {"Accept-Language": "zh-CN,zh;q=0.9"}


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("The password is wrong.", "密码错误。"),
        ("There is no branch main.", "没有分支 main。"),
        # What stands at a place stays as it is, even where it looks like a part of the sentence.
        ("ada opened an issue on ada/x: On models: bert", "ada 在 ada/x 创建了议题：On models: bert"),
        ("ada created the model ada/{0}%s", "ada 创建了模型 ada/{0}%s"),
        # People's titles have as many words as they like; their names have none beside.
        ("ada commented on ada/x: Losses of a late night", "ada 在 ada/x 发表了评论：Losses of a late night"),
        ("somebody else commented on it: no name", None),
        # What the hub itself said at a place is said in Chinese, too.
        ("80 % of the soft budget of all API keys of acme are spent", "acme 的全部 API 密钥的软预算已用 80%"),
        (
            "1 of 2 required approvals. Administrators may merge all the same.",
            "需要 2 个批准，已有 1 个。管理员仍可合并。",
        ),
        ("The table cannot be read: The disk has no room for the files.", "无法读取表格：磁盘没有空间存放这些文件。"),
        ("There is no such user, or you may not see it.", "没有这个用户，或您无权查看。"),
        # A short template is no excuse for half a sentence.
        ("There is no such flying machine of ours here.", None),
        ("ada writes this by hand", None),
        ("There is no branch " + "x" * 10_000 + ".", None),
    ],
)
def test_a_text_is_found_again_by_what_stands_around_its_places(english, chinese):
    assert _catalogue("zh").translate(english) == (chinese or english)


@pytest.fixture
def world(make_user, make_token, make_repository):
    ada = make_user("ada")
    make_repository(ada, "thing")
    return SimpleNamespace(ada=ada, headers={"Authorization": f"Bearer {make_token(ada, 'admin')}"})


def test_the_api_answers_in_the_language_that_is_asked_for_and_programs_in_english(client, world):
    def ask(method, path, body, status):
        answers = [
            client.open(f"/api/v1{path}", method=method, json=body, headers=world.headers | more)
            for more in ({}, CHINESE)
        ]
        assert [answer.status_code for answer in answers] == [status, status], answers[0].text
        english, chinese = (answer.json for answer in answers)
        assert english["msg"].isascii()
        assert english["code"] == chinese["code"]
        return chinese

    for method, path, body, status, said in [
        ("GET", "/models/ada/none", None, 404, "没有这个仓库，或您无权查看。"),
        ("POST", "/models", {"namespace": "ada", "name": "thing"}, 400, "已有名为 'ada/thing' 的模型。"),
        ("POST", "/models", {"namespace": "ada", "name": "a..b"}, 400, "此仓库名称不可用：须为 2 到 64 个字母"),
        ("POST", "/models", {"namespace": "nobody", "name": "x1"}, 404, "没有用户或组织 'nobody'。"),
        ("GET", "/user/nobody", None, 404, "没有这个用户。"),
        ("GET", "/models/ada/thing/blob/none.txt", None, 404, "此修订版本中没有"),
    ]:
        assert ask(method, path, body, status)["msg"].startswith(said), path
    fault = ask("POST", "/models", {"namespace": 1, "name": "x"}, 400)
    assert fault["msg"] == "请求不符合格式要求。"
    assert "不是有效的文本。" in str(fault["context"]["errors"])


def test_pages_tell_errors_and_notices_in_chinese(client, context, world, see):
    with unit_of_work(context) as work:
        title = "bob created the model bob/<b>x"
        work.session.add(
            Notification(user_id=world.ada.id, type="system", title=title, uuid="n1", created_at=work.now())
        )
    headers = {**world.headers, **CHINESE, "Accept": "text/html"}
    assert "没有这个仓库，或您无权查看。" in see("/models/ada/none", headers, status=404)
    assert "bob 创建了模型 bob/&lt;b&gt;x" in see("/notifications", headers)
    assert "bob created the model bob/&lt;b&gt;x" in see("/notifications", headers | {"Accept-Language": "en"})
