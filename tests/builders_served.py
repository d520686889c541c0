"""Real model servers for tests: `transformers serve` with a folder's model, and one that fails on cue."""

import base64
import contextlib
import io
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import torch
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from PIL import Image
from transformers import DecisionPipeline, pipeline

from model.served.address import ServerAddress
from tests.ports import free_port

SERVER_START_S = 180  # it loads torch and transformers, beside other tests


def llava_pipeline(folder: Path) -> DecisionPipeline:
    """Transformers' own way to put questions to a folder's model."""
    return pipeline("decision", model=str(folder), device="cpu", dtype=torch.float32)


@contextlib.contextmanager
def transformers_serve(folder: Path, log: Path) -> Iterator[str]:
    """The URL of `transformers serve` with the model of `folder`, for the time of the block."""
    port = free_port()
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(folder), "--device", "cpu"]
    with log.open("wb") as said:
        server = subprocess.Popen(
            [*command, "--dtype", "float32", "--host", "127.0.0.1", "--port", str(port)],
            stdout=said,
            stderr=subprocess.STDOUT,
            env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        )
        try:
            url = f"http://127.0.0.1:{port}"
            _await_health(url, server, log)
            yield url
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _await_health(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    give_up_s = time.monotonic() + SERVER_START_S
    while time.monotonic() < give_up_s:
        if server.poll() is not None:
            raise AssertionError(f"transformers serve ended: {log.read_text(errors='replace')[-2000:]}")
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/health", trust_env=False).is_success:
                return
        time.sleep(0.25)
    raise AssertionError(f"transformers serve did not come up: {log.read_text(errors='replace')[-2000:]}")


@dataclass
class Fault:
    """What a server does wrong instead of answering, and how often: `act` gives the reply, or waits and gives None."""

    act: Callable[[dict[str, Any]], Response | None]
    times: int = 1


@dataclass
class Desk:
    """A real HTTP server on the loopback that answers both decision forms and chats, by a model's pipeline.

    `faults` are worked off first, request by request; `asked` is all that came.
    """

    decide: DecisionPipeline
    port: int = field(default_factory=free_port)
    faults: list[Fault] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    most_at_once: int = 0
    _at_once: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def address(self, **differing: Any) -> ServerAddress:
        return ServerAddress(self.url, "tiny", **{"first_pause_s": 0.02, "longest_pause_s": 0.2, **differing})

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.middleware("http")
        async def counted(request: Request, answer: Any) -> Any:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            try:
                return await answer(request)
            finally:
                self._at_once -= 1

        @app.post("/v1/decisions")
        def decisions(body: dict[str, Any]) -> Any:
            return self._answer(body, openai_decisions if isinstance(body["input"], list) else sglang_decisions)

        @app.post("/v1/systemone")
        def systemone(body: dict[str, Any]) -> Any:
            return self._answer(body, system_one)

        @app.post("/v1/chat/completions")
        def chat(body: dict[str, Any]) -> Any:
            return self._answer(body, chat_completion)

        return app

    def _answer(self, body: dict[str, Any], form: Callable[[DecisionPipeline, dict[str, Any]], Any]) -> Any:
        with self._lock:
            self.asked.append(body)
            fault = next((fault for fault in self.faults if fault.times > 0), None)
            if fault is not None:
                fault.times -= 1
        if fault is not None and (reply := fault.act(body)) is not None:
            return reply
        with self._lock:  # a pipeline is not to be shared
            return form(self.decide, body)

    @contextlib.contextmanager
    def open(self) -> Iterator["Desk"]:
        """Serve for the time of the block."""
        server = uvicorn.Server(uvicorn.Config(self.app(), host="127.0.0.1", port=self.port, log_level="error"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        give_up_s = time.monotonic() + 30
        while not server.started and time.monotonic() < give_up_s:
            time.sleep(0.01)
        assert server.started
        try:
            yield self
        finally:
            server.should_exit = True
            thread.join(10)


def openai_decisions(decide: DecisionPipeline, body: dict[str, Any]) -> Any:
    """OpenAI's documented form, answered by a pipeline."""
    (message,) = body["input"]
    (shown,) = [part for part in message["content"] if part["type"] == "input_image"]
    questions = {question["name"]: question for question in body["questions"]}
    put = {name: _as_system_one(question) for name, question in questions.items()}
    said = decide({"state": "<shown>", "assets": {"<shown>": _picture(shown["image_url"])}, "questions": put})
    return {"model": body["model"], "answers": [_as_openai(questions[name], said[name]) for name in questions]}


def _as_system_one(question: dict[str, Any]) -> dict[str, Any]:
    if question["type"] == "predicate":
        return {"type": "noul", "instructions": question["instructions"]}
    if question["type"] == "choice":
        criteria: Any = {choice["value"]: choice.get("description") for choice in question["choices"]}
    else:
        criteria = [level["label"] for level in question["levels"]]
    return {"type": question["type"], "instructions": question["instructions"], "criteria": criteria}


def _as_openai(question: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    named = {"name": question["name"], "type": question["type"]}
    if question["type"] == "predicate":
        return {**named, "probability": said["noul"]}
    if question["type"] == "choice":
        chances = [{"value": value, "probability": p} for value, p in said["probabilities"].items()]
        return {**named, "choice": said["choice"], "confidence": said["confidence"], "probabilities": chances}
    labels = [level["label"] for level in question["levels"]]
    levels = [
        {"label": label, "value": value, "probability": said["probabilities"][str(value)]}
        for value, label in enumerate(labels)
    ]
    return {**named, "score": said["score"], "confidence": said["confidence"], "probabilities": levels}


def sglang_decisions(decide: DecisionPipeline, body: dict[str, Any]) -> Any:
    """SGLang's form, answered by a pipeline."""
    questions = {question["id"]: question for question in body["questions"]}
    put: dict[str, Any] = {}
    for name, question in questions.items():
        if question["type"] == "yes_no":
            put[name] = {"type": "noul", "instructions": question["question"]}
        elif question["type"] == "choice":
            criteria = {option["name"]: option.get("description") for option in question["options"]}
            put[name] = {"type": "choice", "instructions": question["question"], "criteria": criteria}
        else:
            put[name] = {"type": "score", "instructions": question["question"], "criteria": question["levels"]}
    said = decide({"state": "<shown>", "assets": {"<shown>": _picture(body["images"][0]["url"])}, "questions": put})
    answers = {
        name: {"type": questions[name]["type"], "label_mass": 1.0, "probabilities": _chances(one)}
        for name, one in said.items()
    }
    return {"object": "decisions", "model": body["model"], "prompt_format_version": 1, "answers": answers}


def _chances(said: dict[str, Any]) -> dict[str, float]:
    return {"yes": said["noul"], "no": 1 - said["noul"]} if said["type"] == "noul" else dict(said["probabilities"])


def system_one(decide: DecisionPipeline, body: dict[str, Any]) -> Any:
    """The System One form with a list of images, as llama.cpp and SGLang take them; without, they see nothing."""
    images = body.get("images") or []
    state = "<shown>" if images else str(body["state"])
    assets = {"<shown>": _picture(images[0])} if images else {}
    return {
        "model": body["model"],
        "answers": decide({"state": state, "assets": assets, "questions": body["questions"]}),
    }


def chat_completion(decide: DecisionPipeline, body: dict[str, Any]) -> Any:
    """A reply that says how large the picture is."""
    del decide
    shown, _ = body["messages"][0]["content"]
    width, height = _picture(shown["image_url"]["url"]).size
    message = {"role": "assistant", "content": f"Head: seen.\nBody: {width} by {height}.\nSurroundings: none."}
    return {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}


def refusing(status: int, message: str, **headers: str) -> Callable[[dict[str, Any]], Response]:
    """The act of answering with an error."""
    return lambda body: JSONResponse({"error": {"message": message}}, status_code=status, headers=headers)


def _picture(data_url: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(data_url.split(",", 1)[1]))).convert("RGB")
