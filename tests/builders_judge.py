"""A real server of OpenAI's form on loopback, that marks by comparing words and can fail on cue."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class JudgeServer:
    """`failures` are the statuses of the next replies, before it marks; `verdict` is its reply instead of marking."""

    url: str = ""
    failures: list[int] = field(default_factory=list)
    verdict: str | None = None
    requests: list[dict[str, object]] = field(default_factory=list)
    keys: set[str | None] = field(default_factory=set)

    def reply(self, body: dict[str, object]) -> dict[str, object]:
        messages = body["messages"]
        assert isinstance(messages, list)
        asked = dict(re.findall(r"^([A-Z][a-z ]+): (.*)$", messages[-1]["content"], re.MULTILINE))
        is_right = asked["Reference answer"].lower() in asked["Candidate answer"].lower()
        said = self.verdict or ("RIGHT" if is_right else "Wrong.")
        return {"choices": [{"message": {"role": "assistant", "content": said}}]}


@contextmanager
def judge_server() -> Iterator[JudgeServer]:
    judge = JudgeServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            judge.requests.append(body)
            judge.keys.add(self.headers["Authorization"])
            status = judge.failures.pop(0) if judge.failures else 200 if self.path == "/v1/chat/completions" else 404
            said = json.dumps(judge.reply(body) if status == 200 else {"error": "on cue"}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            """Keep the tests' output quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    judge.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield judge
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
