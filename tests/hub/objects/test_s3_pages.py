"""Whether pages of the hub may send straight to the bucket."""

import urllib3
from minio import Minio
from minio.error import ServerError

from hub.objects.s3 import S3Address, S3Store
from hub.objects.s3_pages import add_rule

ORIGIN, OTHER = "https://hub.example.com", "https://other.example.com"


def test_a_browser_of_a_page_may_put_what_a_presigned_address_allows(s3_storage_url):
    store = S3Store(S3Address.parse(s3_storage_url))
    assert store.allows_pages_of(ORIGIN)
    pool = urllib3.PoolManager()
    address = store.presign_put("staging/direct", expires_s=60)
    asked = pool.request("OPTIONS", address, headers={"Origin": ORIGIN, "Access-Control-Request-Method": "PUT"})
    assert asked.headers["Access-Control-Allow-Origin"] in ("*", ORIGIN)
    sent = pool.request("PUT", address, body=b"content", headers={"Origin": ORIGIN})
    assert (sent.status, sent.headers["Access-Control-Allow-Origin"] in ("*", ORIGIN)) == (200, True)
    assert store.find("staging/direct").size_bytes == len(b"content")


def test_a_rule_is_added_to_those_of_the_bucket(s3_storage_url):
    account = S3Address.parse(s3_storage_url)
    client = account.client(urllib3.PoolManager())
    S3Store(account).check()
    for origin in (ORIGIN, OTHER):
        assert add_rule(origin, client, account.bucket)
    rules = client._execute("GET", account.bucket, query_params={"cors": ""}).data.decode()
    assert rules.count("<CORSRule>") == 2
    assert ORIGIN in rules
    assert OTHER in rules


def test_where_no_rule_can_be_made_the_hub_passes_the_bytes_on(s3_storage_url):
    account = S3Address.parse(s3_storage_url)
    client = account.client(urllib3.PoolManager())
    assert not add_rule(ORIGIN, client, "no-such-bucket-of-ours")


def test_rules_that_cannot_be_read_are_left_alone(s3_storage_url, monkeypatch):
    account = S3Address.parse(s3_storage_url)
    client = account.client(urllib3.PoolManager())
    S3Store(account).check()
    assert add_rule(OTHER, client, account.bucket)
    send = Minio._execute

    def fail_to_read(self, method, *rest, **more):
        if method == "GET":
            raise ServerError("server failed with HTTP status code 503", 503)
        return send(self, method, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Minio, "_execute", fail_to_read)
        assert not add_rule(ORIGIN, client, account.bucket)
    assert OTHER in client._execute("GET", account.bucket, query_params={"cors": ""}).data.decode()
