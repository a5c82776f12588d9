import threading

import pytest
import redis

from hub.accounts.attempts import (
    MAX_ATTEMPTS,
    MEMORY_ENTRIES,
    WINDOW_S,
    MemoryAttempts,
    RedisAttempts,
    attempt_key,
    count_attempt,
    create_attempt_counter,
)
from hub.base.errors import RateLimited
from hub.base.settings import Settings
from tests.support.processes import free_ports


@pytest.fixture(params=["memory", "redis"])
def counter(request):
    """Each counter in turn."""
    if request.param == "memory":
        yield MemoryAttempts()
        return
    with redis.Redis.from_url(request.getfixturevalue("redis_url")) as client:
        yield RedisAttempts(client)


def test_the_attempt_after_the_last_allowed_one_is_refused_with_a_time_to_come_back(counter):
    for _ in range(MAX_ATTEMPTS):
        count_attempt(counter, "ada", "192.0.2.1")
    with pytest.raises(RateLimited) as caught:
        count_attempt(counter, "ADA", "192.0.2.1")
    assert 0 < caught.value.details["retry_after_s"] <= WINDOW_S


def test_another_account_and_another_address_have_counters_of_their_own(counter):
    for _ in range(MAX_ATTEMPTS + 1):
        counter.hit(attempt_key("ada", "192.0.2.1"))
    count_attempt(counter, "eve", "192.0.2.1")
    count_attempt(counter, "ada", "192.0.2.2")


def test_a_success_begins_the_count_anew(counter):
    key = attempt_key("ada", "192.0.2.1")
    assert [counter.hit(key)[0] for _ in range(3)] == [1, 2, 3]
    counter.clear(key)
    assert counter.hit(key)[0] == 1


def test_attempts_at_the_same_time_are_all_counted(counter):
    threads = [threading.Thread(target=lambda: [counter.hit("k") for _ in range(25)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.hit("k")[0] == 101


def test_the_window_ends():
    moment = [0.0]
    counter = MemoryAttempts(now=lambda: moment[0])
    assert counter.hit("k") == (1, WINDOW_S)
    moment[0] = WINDOW_S - 1
    assert counter.hit("k") == (2, 1)
    moment[0] = WINDOW_S
    assert counter.hit("k") == (1, WINDOW_S)


def test_redis_forgets_a_counter_by_itself(redis_url):
    with redis.Redis.from_url(redis_url) as client:
        RedisAttempts(client).hit("k")
        assert 0 < client.ttl("k") <= WINDOW_S


def test_memory_is_bounded():
    counter = MemoryAttempts()
    for number in range(MEMORY_ENTRIES + 5):
        counter.hit(str(number))
    assert counter.hit("0")[0] == 1
    assert counter.hit(str(MEMORY_ENTRIES))[0] == 2


def test_without_redis_this_process_counts(caplog):
    caplog.set_level("WARNING")  # a command that ran in this process before may have set another
    counter = create_attempt_counter(Settings(redis_url=f"redis://127.0.0.1:{free_ports(1)[0]}"))
    assert [counter.hit("k")[0] for _ in range(3)] == [1, 2, 3]
    counter.clear("k")
    assert counter.hit("k")[0] == 1
    assert len(caplog.records) == 1


def test_all_processes_of_one_redis_count_together(redis_url):
    first, second = (create_attempt_counter(Settings(redis_url=redis_url)) for _ in range(2))
    assert [first.hit("k")[0], second.hit("k")[0]] == [1, 2]
    second.clear("k")
    assert first.hit("k")[0] == 1


def test_a_key_is_plain_whatever_was_typed():
    assert attempt_key("a b\n\ud800" * 100, "::1").removeprefix("hub:sign-in:").isalnum()
