"""A real server process and real clients: what each gets over HTTP is what he would have got alone."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time

import httpx
import numpy as np
import pytest

from mlsys_core.serving.sampling import SamplingParams
from mlsys_core.workloads import small_model
from tests.mlsys_core.serving.one_by_one import generate

LINES = ("ROMEO:\n", "JULIET:\nO Romeo", "First Citizen:\nBefore", "KING", "The ")


@pytest.fixture(scope="module")
def server():
    """The address of `python -m mlsys_core.serving` with little memory, so that requests meet in it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "mlsys_core.serving",
        "--port",
        str(port),
        "--blocks",
        "24",
        "--preemption",
        "swap",
    ]
    with subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"}) as process:
        address = f"http://127.0.0.1:{port}"
        try:
            for _ in range(600):
                assert process.poll() is None, "the server ended"
                try:
                    httpx.get(f"{address}/health")
                    break
                except httpx.ConnectError:
                    time.sleep(0.1)
            yield address
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def model():
    return small_model.load()


def alone(model, text, *, choice=0, **params):
    """Text and reason of one-by-one generation without a cache."""
    words = small_model.VOCABULARY()
    stop = tuple(tuple(words.encode(s).tolist()) for s in params.pop("stop", ()))
    tokens, reason = generate(model, words.encode(text).tolist(), SamplingParams(stop=stop, **params), choice)
    return words.decode(np.array(tokens, int)), reason


async def stream(client, path, body):
    """The chunks of a stream, as dicts; it must end with [DONE]."""
    async with client.stream("POST", path, json=body | {"stream": True}) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = [line.removeprefix("data: ") async for line in response.aiter_lines() if line]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def joined(chunks, index=0):
    """A choice's text and reason from its chunks."""
    parts = [c for chunk in chunks for c in chunk["choices"] if c["index"] == index]
    return "".join(part["text"] for part in parts), parts[-1]["finish_reason"]


def test_streams_at_the_same_time_are_those_of_one_by_one_generation(server, model):
    asked = [
        {"prompt": line, "max_tokens": 8 + i, "temperature": 0.0 if i % 2 else 0.8, "seed": i, "top_p": 0.95}
        for i, line in enumerate(LINES)
    ]

    async def all_at_once():
        async with httpx.AsyncClient(base_url=server, timeout=60) as client:
            return await asyncio.gather(*(stream(client, "/v1/completions", body) for body in asked))

    for body, chunks in zip(asked, asyncio.run(all_at_once()), strict=True):
        assert len(chunks) > 5, "it came bit by bit"
        assert joined(chunks) == alone(model, body.pop("prompt"), **body)


def test_an_answer_has_all_choices_of_all_prompts_without_their_stop_strings(server, model):
    asked = {"max_tokens": 12, "temperature": 0.9, "seed": 3}
    body = asked | {"prompt": list(LINES[:2]), "n": 2, "stop": ["\n\n", "e "], "model": "small", "logprobs": 0}
    answer = httpx.post(f"{server}/v1/completions", json=body, timeout=60).json()
    found = [(c["text"], c["finish_reason"]) for c in answer["choices"]]
    assert [c["index"] for c in answer["choices"]] == [0, 1, 2, 3]
    assert found == [alone(model, line, choice=j, stop=body["stop"], **asked) for line in LINES[:2] for j in (0, 1)]
    assert answer["object"] == "text_completion"
    generated = sum(len(text) for text, _ in found)
    prompt = sum(map(len, LINES[:2]))
    assert answer["usage"] == {
        "prompt_tokens": prompt,
        "completion_tokens": generated,
        "total_tokens": prompt + generated,
    }
    said = answer["choices"][1]["logprobs"]
    assert "".join(said["tokens"]) == found[1][0]
    assert said["text_offset"] == list(range(len(found[1][0])))
    assert all(p <= 0 for p in said["token_logprobs"])


def test_a_chat_is_a_play_whose_next_line_is_the_assistants(server, model):
    messages = [{"role": "system", "content": "Speak."}, {"role": "user", "content": "Who art thou? "}]
    text = "SYSTEM:\nSpeak.\n\nUSER:\nWho art thou?\n\nASSISTANT:\n"
    body = {"messages": messages, "max_completion_tokens": 25, "temperature": 0.7, "seed": 4}
    expected = alone(model, text, max_tokens=25, temperature=0.7, seed=4, stop=("\n\n",))
    choice = httpx.post(f"{server}/v1/chat/completions", json=body, timeout=60).json()["choices"][0]
    assert choice["message"] == {"role": "assistant", "content": expected[0]}
    assert choice["finish_reason"] == expected[1]

    async def streamed():
        async with httpx.AsyncClient(base_url=server, timeout=60) as client:
            extra = {"stream_options": {"include_usage": True}, "logprobs": True}
            return await stream(client, "/v1/chat/completions", body | extra)

    *chunks, last = asyncio.run(streamed())
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[0]["role"] == "assistant"
    assert "".join(delta.get("content", "") for delta in deltas) == expected[0]
    tokens = [part["token"] for chunk in chunks for part in chunk["choices"][0]["logprobs"]["content"]]
    assert "".join(tokens) == expected[0]
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] == len(expected[0])


def metrics(server):
    lines = httpx.get(f"{server}/metrics").text.splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


def test_who_hangs_up_is_served_no_longer(server):
    body = {"prompt": "A", "max_tokens": 200, "n": 3, "stream": True, "temperature": 1.0, "seed": 0}
    before = metrics(server).get('mlsys_finished_total{reason="abort"}', 0.0)
    with httpx.stream("POST", f"{server}/v1/completions", json=body, timeout=60) as response:
        next(response.iter_lines())
    for _ in range(200):
        found = metrics(server)
        if found.get('mlsys_finished_total{reason="abort"}', 0.0) == before + 3:
            break
        time.sleep(0.02)
    assert found['mlsys_finished_total{reason="abort"}'] == before + 3
    assert sum(found[f'mlsys_sequences{{place="{place}"}}'] for place in ("waiting", "running", "swapped")) == 0
    assert found["mlsys_cache_use"] == 0


def test_the_server_says_who_it_is_and_how_it_does(server):
    listed = httpx.get(f"{server}/v1/models").json()
    assert [card["id"] for card in listed["data"]] == ["small"]
    assert httpx.get(f"{server}/v1/models/small").json() == listed["data"][0]
    assert httpx.get(f"{server}/health").json() == {"status": "ok"}
    for _ in range(2):
        httpx.post(f"{server}/v1/completions", json={"prompt": "x" * 40, "max_tokens": 1}, timeout=60)
    found = metrics(server)
    assert found["mlsys_prefix_hit_rate"] > 0
    assert found['mlsys_time_to_first_token_seconds{quantile="0.99"}'] > 0


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("completions", "{", 400, "could not be read"),
        ("completions", {}, 400, "prompt"),
        ("completions", {"prompt": []}, 400, "list of texts"),
        ("completions", {"prompt": "a", "max_tokens": "x"}, 400, "max_tokens"),
        ("completions", {"prompt": "a", "max_tokens": 300}, 400, "context of 256"),
        ("completions", {"prompt": "", "stream": True}, 400, "without a prompt"),
        ("completions", {"prompt": "a", "temperature": -1}, 400, "temperature"),
        ("completions", {"prompt": "a", "top_p": 2}, 400, "top_p"),
        ("completions", {"prompt": "a", "n": 100}, 400, "outputs"),
        ("completions", {"prompt": "a", "echo": True}, 400, "does not do echo"),
        ("completions", {"prompt": "a", "logprobs": 5}, 400, "ask for 0"),
        ("completions", {"prompt": "a", "unheard": 1}, 400, "unheard"),
        ("completions", {"prompt": "\u20ac"}, 400, "vocabulary"),
        ("completions", {"prompt": [1, 99]}, 400, "vocabulary of 65"),
        ("completions", {"prompt": "a", "model": "large"}, 404, "ask for small"),
        ("completions", {"prompt": "a" * (1 << 20)}, 413, "larger"),
        ("chat/completions", {"messages": []}, 400, "without a message"),
        ("chat/completions", {"messages": [{"role": "king", "content": "?"}]}, 400, "king"),
        ("chat/completions", {"messages": [{"role": "user", "content": "a" * 300}]}, 400, "no room"),
        (
            "chat/completions",
            {"messages": [{"role": "user", "content": "a"}], "top_logprobs": 2},
            400,
            "ask for 0",
        ),
        ("embeddings", {}, 404, "There is no"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence_in_the_shape_of_the_api(server, path, body, status, words):
    content = body if isinstance(body, str) else json.dumps(body)
    answer = httpx.post(f"{server}/v1/{path}", content=content)
    judge(answer, status, words)


def judge(answer, status, words):
    """An error of the API."""
    assert answer.status_code == status
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert words in error["message"]
    assert error["type"] == "invalid_request_error"


def test_a_method_that_a_path_does_not_take_is_an_error_of_its_own(server):
    judge(httpx.get(f"{server}/v1/completions"), 405, "does not take GET")


def test_tokens_are_a_prompt_too(server):
    words = small_model.VOCABULARY()
    asked = {"max_tokens": 5, "temperature": 0}
    texts = ["ROMEO", "JULIET"]
    as_text = httpx.post(f"{server}/v1/completions", json=asked | {"prompt": texts}, timeout=60).json()
    codes = [words.encode(text).tolist() for text in texts]
    as_tokens = httpx.post(f"{server}/v1/completions", json=asked | {"prompt": codes}, timeout=60).json()
    one = httpx.post(f"{server}/v1/completions", json=asked | {"prompt": codes[1]}, timeout=60).json()
    assert as_text["choices"] == as_tokens["choices"]
    assert one["choices"][0]["text"] == as_text["choices"][1]["text"]
