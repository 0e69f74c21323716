# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.emulator.handle import Emulator
from tests.emulator_tests.api import Api, body_of, nested, new_id, result_of

Body = dict[str, Any]
Mutation = Callable[[Body], object]
WRONG = (400, "KOOPHONE.API.1000")


def spec_of(body: Body) -> Any:
    return body["instance_settings"][3]["video_spec_groups"][0]["definition_720P"]


def element_of(body: Body) -> Any:
    return body["instance_settings"][3]


def group_of(body: Body) -> Any:
    return element_of(body)["video_spec_groups"][0]


BROKEN: dict[str, Mutation] = {
    "no instance_ids": lambda body: body.pop("instance_ids"),
    "instance_ids null": lambda body: body.update(instance_ids=None),
    "instance_ids a string": lambda body: body.update(instance_ids="a"),
    "no instance": lambda body: body.update(instance_ids=[]),
    "101 instances": lambda body: body.update(instance_ids=[f"i{n}" for n in range(101)]),
    "an id that is a number": lambda body: body.update(instance_ids=["a", 7]),
    "an id that is null": lambda body: body.update(instance_ids=[None]),
    "an empty id": lambda body: body.update(instance_ids=[""]),
    "an id of 33 characters": lambda body: body.update(instance_ids=["x" * 33]),
    "no instance_settings": lambda body: body.pop("instance_settings"),
    "instance_settings an object": lambda body: body.update(instance_settings={}),
    "five elements": lambda body: body["instance_settings"].pop(),
    "seven elements": lambda body: body["instance_settings"].append(copy.deepcopy(element_of(body))),
    "one pair twice, another missing": lambda body: element_of(body).update(encoding_type="H264"),
    "an element that is no object": lambda body: body["instance_settings"].__setitem__(0, "WIFI"),
    "an unknown member of the body": lambda body: body.update(force=True),
    "an unknown member of an element": lambda body: element_of(body).update(name="x"),
    "no network_type": lambda body: element_of(body).pop("network_type"),
    "an unknown network_type": lambda body: element_of(body).update(network_type="5G"),
    "a network_type in lower case": lambda body: element_of(body).update(network_type="wifi"),
    "a network_type that is a list": lambda body: element_of(body).update(network_type=["WIFI"]),
    "no encoding_type": lambda body: element_of(body).pop("encoding_type"),
    "an unknown encoding_type": lambda body: element_of(body).update(encoding_type="AV1"),
    "no video_spec_groups": lambda body: element_of(body).pop("video_spec_groups"),
    "video_spec_groups an object": lambda body: element_of(body).update(video_spec_groups=group_of(body)),
    "no group": lambda body: element_of(body).update(video_spec_groups=[]),
    "two groups": lambda body: element_of(body)["video_spec_groups"].append(copy.deepcopy(group_of(body))),
    "a definition missing": lambda body: group_of(body).pop("definition_540P"),
    "an unknown definition": lambda body: group_of(body).update(definition_480P={"code_rate": 100, "fps": 30}),
    "a definition that is null": lambda body: group_of(body).update(definition_1080P=None),
    "no code_rate": lambda body: spec_of(body).pop("code_rate"),
    "code_rate 0": lambda body: spec_of(body).update(code_rate=0),
    "code_rate negative": lambda body: spec_of(body).update(code_rate=-100),
    "code_rate above the limit": lambda body: spec_of(body).update(code_rate=10100),
    "code_rate between two steps": lambda body: spec_of(body).update(code_rate=6050),
    "code_rate a string": lambda body: spec_of(body).update(code_rate="6000"),
    "code_rate with a point": lambda body: spec_of(body).update(code_rate=6000.0),
    "code_rate true": lambda body: spec_of(body).update(code_rate=True),
    "code_rate null": lambda body: spec_of(body).update(code_rate=None),
    "no fps": lambda body: spec_of(body).pop("fps"),
    "fps 45": lambda body: spec_of(body).update(fps=45),
    "fps a string": lambda body: spec_of(body).update(fps="60"),
    "fps with a point": lambda body: spec_of(body).update(fps=60.0),
    "fps true": lambda body: spec_of(body).update(fps=True),
    "an unknown member of a spec": lambda body: spec_of(body).update(gop=30),
}

GOOD: dict[str, Mutation] = {
    "as it is": lambda body: None,
    "code_rate at the lower limit": lambda body: spec_of(body).update(code_rate=100),
    "code_rate at the upper limit": lambda body: spec_of(body).update(code_rate=10000),
    "fps 30": lambda body: spec_of(body).update(fps=30),
    "elements in another order": lambda body: body["instance_settings"].reverse(),
    "an id named twice": lambda body: body.update(instance_ids=["a", "a"]),
}


@pytest.mark.parametrize("mutation", BROKEN.values(), ids=BROKEN.keys())
def test_a_body_that_breaks_a_rule_is_refused_and_has_no_effect(api: Api, mutation: Mutation) -> None:
    body = body_of("a")
    mutation(body)
    assert result_of(api.put(body)) == WRONG
    assert api.emulator.applied("a") is None


@pytest.mark.parametrize("mutation", GOOD.values(), ids=GOOD.keys())
def test_a_body_that_keeps_the_rules_is_carried_out(api: Api, mutation: Mutation) -> None:
    body = body_of("a")
    mutation(body)
    response = api.put(body)
    assert (response.status_code, response.json()) == (200, {"error_code": "0", "error_msg": "ok"})
    assert api.emulator.applied("a") is not None


def test_a_hundred_ids_of_32_characters_are_accepted(api: Api, emulator: Emulator) -> None:
    ids = [f"{n:032}" for n in range(100)]
    emulator.add(ids)
    assert result_of(api.put(body_of(*ids))) == (200, "0")
    assert all(instance["writes"] == 1 for instance in emulator.state(ids).values())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        '"text"',
        "\ufeff{}",
        "[" * 100_000,
        json.dumps(body_of("a"))[:-1] + ', "instance_ids": ["b"]}',
        json.dumps(body_of("a")).replace("6000", "NaN", 1),
        json.dumps(body_of("a")).replace("6000", "1" * 5000, 1),
    ],
    ids=["empty", "cut off", "null", "list", "string", "byte order mark", "deep", "key twice", "NaN", "long number"],
)
def test_a_body_that_is_not_the_object_expected_is_refused(api: Api, text: str) -> None:
    response = api.send("PUT", "/v1/instances/video-setting", data=text.encode(), headers=api.headers())
    assert result_of(response) == WRONG


def test_a_body_that_is_not_utf_8_is_refused(api: Api) -> None:
    data = json.dumps(body_of("é"), ensure_ascii=False).encode("latin-1")
    assert result_of(api.send("PUT", "/v1/instances/video-setting", data=data, headers=api.headers())) == WRONG


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x_request_id": None}, (200, "KOOPHONE.API.0002")),
        ({"content_type": "text/plain"}, WRONG),
        ({"content_type": "application/json; charset=utf-8"}, (200, "0")),
        ({"x_auth_token": None}, (401, "APIGW.0301")),
        ({"x_auth_token": "other"}, (401, "APIGW.0301")),
    ],
    ids=["no request id", "another content type", "content type with charset", "no token", "a wrong token"],
)
def test_headers_are_checked(api: Api, headers: dict[str, str | None], expected: tuple[int, str]) -> None:
    assert result_of(api.put(body_of("a"), **headers)) == expected


def test_a_missing_content_type_is_refused(api: Api) -> None:
    data = json.dumps(body_of("a")).encode()
    headers = api.headers(content_type=None)
    response = api.send("PUT", "/v1/instances/video-setting", data=data, headers=headers)
    assert result_of(response) == (200, "KOOPHONE.API.0005")


def test_a_request_id_that_was_used_before_is_refused_and_journalled(api: Api, emulator: Emulator) -> None:
    request_id = new_id()
    assert result_of(api.put(body_of("a"), x_request_id=request_id)) == (200, "0")
    assert result_of(api.put(body_of("b"), x_request_id=request_id)) == WRONG
    assert emulator.applied("b") is None
    assert emulator.repeated_request_ids() == [request_id]
    assert [entry["violation"] for entry in emulator.requests()] == [None, "x-request-id repeated"]


def test_settings_are_kept_in_nested_form_with_their_last_request(api: Api, emulator: Emulator) -> None:
    api.put(body_of("a", "b", code_rate=100, fps=30))
    last = new_id()
    api.put(body_of("a"), x_request_id=last)
    state = emulator.state()
    assert emulator.settings_of("a") == nested()
    assert emulator.settings_of("b") == nested(100, 30)
    assert emulator.settings_of("c") is None
    assert (state["a"]["writes"], state["a"]["last_request_id"], state["a"]["region"]) == (2, last, "cn-south-1")
    assert emulator.settings_by_digest()[state["b"]["settings_digest"]] == nested(100, 30)


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/instances/video-setting"), ("GET", "/v1/instances"), ("PUT", "/"), ("GET", "/v3/auth/tokens")],
)
def test_a_call_that_the_page_does_not_know_does_not_exist(api: Api, method: str, path: str) -> None:
    assert result_of(api.send(method, path, json=body_of("a"), headers=api.headers())) == (404, "APIGW.0101")
