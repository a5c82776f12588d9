import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from hub.base.metrics import METRICS
from hub.base.settings import SectionValues
from hub.db.engine import DATABASE
from hub.plugin import Metric, MetricKind, Sample
from tests.support.plugins import make_plugin, open_client, start_host

TOKEN = "scrape-me"
SCRAPER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def open_hub(context, bring):
    """``open_hub(Metric(...))``: a client on a hub whose figures can be scraped, with a plugin that adds these."""

    def start(*metrics, token=TOKEN, **settings):
        bring(make_plugin("alpha", metrics=metrics))
        environ = {"HUB_MONITORING_TOKEN": token} if token else {}
        start_host(context, SectionValues({}, environ), plugins="monitoring,alpha", **settings)
        return open_client(context, testing=False)

    return start


@pytest.fixture
def scrape(open_hub):
    """``scrape(Metric(...))``: the families of figures by name, read as Prometheus reads them."""

    def ask(*metrics):
        answer = open_hub(*metrics).get("/-/metrics", headers=SCRAPER)
        assert answer.status_code == 200
        return {family.name: family for family in text_string_to_metric_families(answer.text)}

    return ask


def figure(*samples, name="hub_alpha_notes", labels=(), **options):
    return Metric(name, "Notes.", lambda _context: samples, labels=labels, **options)


# Who may read them.


def test_the_token_of_the_settings_opens_the_figures(open_hub):
    answer = open_hub().get("/-/metrics", headers=SCRAPER)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"


def test_an_administrator_reads_them_without_it(open_hub, make_user, make_token):
    token = make_token(make_user(admin=True), "admin")
    assert open_hub(token="").get("/-/metrics", headers={"Authorization": f"Bearer {token}"}).status_code == 200


@pytest.mark.parametrize("token", [TOKEN, ""])
def test_who_is_not_signed_in_reads_nothing(open_hub, token):
    answer = open_hub(token=token).get("/-/metrics")
    assert answer.status_code == 401
    assert b"hub_users" not in answer.data


def test_a_stranger_reads_nothing(open_hub, make_user, make_token):
    token = make_token(make_user(), "admin")
    assert open_hub().get("/-/metrics", headers={"Authorization": f"Bearer {token}"}).status_code == 403


def test_an_administrators_token_for_reading_reads_nothing(open_hub, make_user, make_token):
    token = make_token(make_user(admin=True), "read")
    assert open_hub().get("/-/metrics", headers={"Authorization": f"Bearer {token}"}).status_code == 403


@pytest.mark.parametrize("word", ["Bearer wrong", "Bearer ", "Bearer", "scrape-me", "Basic scrape-me", "Bearer é"])
@pytest.mark.parametrize("token", [TOKEN, ""])
def test_a_wrong_token_opens_nothing_above_all_while_none_is_set(open_hub, token, word):
    answer = open_hub(token=token).get("/-/metrics", headers={"Authorization": word})
    assert answer.status_code == 401


def test_the_figures_are_read_and_never_written(open_hub):
    assert open_hub().post("/-/metrics", headers=SCRAPER).status_code == 405


def test_without_the_plugin_there_is_no_such_page(open_hub):
    assert open_hub(plugins_disabled="monitoring").get("/-/metrics", headers=SCRAPER).status_code == 404


# What is in them.


def families(context):
    """The names of all families as a parser gives them: of a counter, without its ending."""
    return {name.removesuffix("_total") for name in context[METRICS]}


def test_every_family_of_the_hub_is_there_and_can_be_parsed(context, scrape, make_user, make_repository):
    make_repository(make_user())
    found = scrape()
    assert set(found) >= families(context)
    assert all(family.documentation for family in found.values())
    [models] = [sample for sample in found["hub_repos"].samples if sample.labels == {"type": "model"}]
    assert models.value == 1
    states = {sample.labels["state"]: sample.value for sample in found["hub_users"].samples}
    assert states == {"active": 1, "off": 0}
    plugins = {sample.labels["state"]: sample.value for sample in found["hub_plugins"].samples}
    assert plugins["enabled"] >= 2


def test_figures_are_those_of_the_moment(open_hub, make_user):
    client = open_hub()
    assert 'hub_users{state="active"} 0.0' in client.get("/-/metrics", headers=SCRAPER).text
    make_user()
    assert 'hub_users{state="active"} 1.0' in client.get("/-/metrics", headers=SCRAPER).text


def test_the_figures_of_a_plugin_are_among_them(scrape):
    found = scrape(figure(Sample(3, {"shelf": "low"}), Sample(4.5, {"shelf": "high"}), labels=("shelf",)))
    samples = {sample.labels["shelf"]: sample.value for sample in found["hub_alpha_notes"].samples}
    assert samples == {"low": 3.0, "high": 4.5}
    assert found["hub_alpha_notes"].type == "gauge"


def test_what_only_grows_is_a_counter(scrape):
    found = scrape(figure(Sample(3, {}), name="hub_alpha_notes_total", kind=MetricKind.COUNTER))
    assert found["hub_alpha_notes"].type == "counter"
    assert [sample.name for sample in found["hub_alpha_notes"].samples] == ["hub_alpha_notes_total"]


def break_down(_context):
    raise ZeroDivisionError


def break_down_half_way(_context):
    yield Sample(1, {})
    raise ZeroDivisionError


@pytest.mark.parametrize(
    "odd",
    [
        Metric("hub_alpha_odd", "Odd.", break_down),
        Metric("hub_alpha_odd", "Odd.", break_down_half_way),
        figure(Sample("many", {}), name="hub_alpha_odd"),
        figure(Sample(1, {}), name="hub_alpha_odd", labels=("shelf",)),
        figure("no sample", name="hub_alpha_odd"),
        figure(Sample(None, {}), name="hub_alpha_odd"),
        Metric("hub_alpha_odd", "Odd.", lambda _context: None),
    ],
)
def test_a_figure_that_cannot_be_read_is_left_out_and_the_rest_stands(context, scrape, odd):
    found = scrape(figure(Sample(3, {})), odd)
    assert "hub_alpha_odd" not in found
    assert set(found) >= families(context) - {"hub_alpha_odd"}
    assert found["hub_alpha_notes"].samples[0].value == 3


def test_while_the_database_is_away_what_does_not_need_it_is_still_told(context, open_hub):
    client = open_hub(figure(Sample(3, {})))
    with context[DATABASE].engine.begin() as connection:
        connection.execute(text("ALTER TABLE jobs RENAME TO mislaid"))
    answer = client.get("/-/metrics", headers=SCRAPER)
    assert answer.status_code == 200
    assert "hub_alpha_notes 3.0" in answer.text
    assert "hub_users" in answer.text
    assert "hub_queue_depth" not in answer.text


@pytest.mark.parametrize("value", ['a "quote"', "back\\slash", "two\nlines", "ümlaut", '"} 1\nhub_users 99', ""])
def test_the_values_of_labels_are_escaped(scrape, value):
    found = scrape(figure(Sample(1, {"shelf": value}), labels=("shelf",)))
    assert [sample.labels for sample in found["hub_alpha_notes"].samples] == [{"shelf": value}]
    assert 99 not in [sample.value for sample in found["hub_users"].samples]


def test_the_value_of_a_label_that_is_a_number_is_written_out(scrape):
    found = scrape(figure(Sample(1, {"shelf": 3}), labels=("shelf",)))
    assert [sample.labels for sample in found["hub_alpha_notes"].samples] == [{"shelf": "3"}]


def test_help_of_several_lines_is_escaped(scrape):
    found = scrape(Metric("hub_alpha_notes", "Notes.\nhub_users 99", lambda _context: (Sample(1, {}),)))
    assert found["hub_alpha_notes"].documentation == "Notes.\nhub_users 99"
