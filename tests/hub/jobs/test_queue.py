"""The client of Redis that everything in a process shares."""

import dataclasses
import threading

import pytest

from hub.jobs.queue import connect


@pytest.mark.any_database
def test_of_many_commands_at_once_some_wait_and_none_fails(context, redis_url):
    settings = dataclasses.replace(context.settings, redis_url=redis_url)
    client, other = connect(settings), connect(settings)
    heard = []

    def listen():
        heard.append(client.blpop(["words"], timeout=9))

    threads = [threading.Thread(target=listen) for _ in range(150)]
    for thread in threads:
        thread.start()
    other.rpush("words", *range(150))
    for thread in threads:
        thread.join()
    assert sorted(int(word) for _, word in heard) == [*range(150)]
    client.close(), other.close()
