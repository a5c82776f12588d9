"""A caller of the REST API, and what its answers are read by."""


class Caller:
    """The test's client with one token, or with none."""

    def __init__(self, client, token=None):
        self.client = client
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def call(self, method, path, body=None):
        answer = self.client.open(f"/api/v1{path}", method=method, json=body, headers=self.headers)
        answer.close()
        return answer

    def get(self, path):
        return self.call("GET", path)

    def post(self, path, body=None):
        return self.call("POST", path, {} if body is None else body)

    def put(self, path, body=None):
        return self.call("PUT", path, {} if body is None else body)

    def patch(self, path, body=None):
        return self.call("PATCH", path, {} if body is None else body)

    def delete(self, path, body=None):
        return self.call("DELETE", path, body)


def data(answer, status=200):
    assert answer.status_code == status, answer.text
    assert answer.json["msg"] == "OK"
    return answer.json.get("data")


def refusal(answer):
    return answer.status_code, answer.json["code"]
