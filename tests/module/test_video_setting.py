# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

from tests.emulator.handle import Emulator
from tests.module.returned import assert_as_documented
from tests.module.running import Ansible, group, ids, settings

PREDICTED = (
    "changed",
    "summary",
    "instance_groups",
    "diff",
    "plan_digest",
    "changed_instances",
    "changed_instances_total",
)


def counts(instances: int, **others: int) -> dict[str, int]:
    names = ("changed", "unchanged", "failed", "unknown", "not_attempted")
    return {"instances": instances, **dict.fromkeys(names, 0), **others}


def fleet() -> list[dict[str, Any]]:
    """370 instances in two groups with equal settings, and 30 in a third."""
    return [
        group("kiosks", ids("k", 200), region="cn-north-4"),
        group("showrooms", ids("s", 170), region="cn-north-4"),
        group("offices", ids("o", 30), 4000, region="cn-north-4"),
    ]


def assert_no_trace(output: str) -> None:
    assert "Traceback" not in output
    assert "MODULE FAILURE" not in output


def assert_no_ids(result: dict[str, Any]) -> None:
    shown = json.dumps({name: value for name, value in result.items() if not name.endswith("_instances")})
    assert not any(instance_id in shown for one in fleet() for instance_id in one["instance_ids"])


def test_a_fleet_is_planned_and_applied_and_then_right(ansible: Ansible, emulator: Emulator) -> None:
    # Check mode needs no credentials, and leaves no trace anywhere.
    no_token = {name: value for name, value in ansible.connection.items() if name != "auth_token"}
    planned = ansible.run({**no_token, "instance_groups": fleet()}, flags=["--check", "--diff"])
    assert planned.status == 0
    plan = planned.result
    assert emulator.requests(None) == []
    assert not ansible.state_file.parent.parent.exists()
    assert (plan["changed"], plan["check_mode"], plan["requests"]) == (True, True, 0)
    assert plan["summary"] == counts(400, changed=400, unknown=400)
    assert [(one["name"], one["instances"]) for one in plan["instance_groups"]] == [
        ("kiosks", 200), ("offices", 30), ("showrooms", 170),
    ]  # fmt: skip
    assert planned.changed_lines.count("-unknown") == 3
    assert "+WIFI H265 720P: 4000 kbit/s, 60 fps" in planned.changed_lines
    assert "+++ after: kiosks (200 instances)" in planned.output
    assert_as_documented(plan)
    assert_no_ids(plan)

    # The run that follows does just that; in a careless environment, too, its memory is its owner's alone.
    applied = ansible.run({**ansible.connection, "instance_groups": fleet()}, flags=["-vvvv", "--diff"], umask=0)
    assert applied.status == 0
    done = applied.result
    assert emulator.count() == done["requests"] == 5
    assert {name: done[name] for name in PREDICTED} == {name: plan[name] for name in PREDICTED}
    assert done["check_mode"] is False
    assert {one["settings"]["WIFI"]["H264"]["540P"]["code_rate"] for one in emulator.state().values()} == {6000, 4000}
    assert stat.S_IMODE(ansible.state_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(ansible.state_file.parent.stat().st_mode) == 0o700
    assert [path.name for path in ansible.state_file.parent.iterdir()] == ["fleet.sqlite3"]
    assert_as_documented(done)
    assert_no_ids(done)
    assert applied.arguments[0]["instance_groups"] == ["kiosks", "showrooms", "offices"]
    assert ansible.token not in applied.output
    assert ansible.token.encode() not in ansible.state_file.read_bytes()

    # Then there is nothing left to do, in check mode as for real.
    options = {**ansible.connection, "instance_groups": fleet()[::-1]}
    again = ansible.run(options, {**options, "task": {"check_mode": True}}, flags=["--diff"])
    assert emulator.count() == 5
    for result in again.results:
        assert (result["changed"], result["requests"]) == (False, 0)
        assert result["summary"] == counts(400, unchanged=400)
        assert "diff" not in result
        assert_as_documented(result)
    assert again.changed_lines == []

    # One changed spec is a diff of exactly that line, and as many requests as its instances need.
    wanted = fleet()
    wanted[0]["settings"]["WIFI"]["H265"]["720P"]["code_rate"] = 4000
    options = {**ansible.connection, "instance_groups": wanted}
    changed = ansible.run({**options, "task": {"check_mode": True}}, options, flags=["--diff"])
    assert changed.changed_lines == 2 * [
        "-WIFI H265 720P: 6000 kbit/s, 60 fps",
        "+WIFI H265 720P: 4000 kbit/s, 60 fps",
    ]
    assert [result["requests"] for result in changed.results] == [0, 2]
    assert emulator.count() == 7
    assert changed.results[0]["summary"] == changed.results[1]["summary"] == counts(400, changed=200, unchanged=200)


def test_twelve_mistakes_are_one_message_with_twelve_places_and_no_request(
    ansible: Ansible, emulator: Emulator, tmp_path: Path
) -> None:
    file = tmp_path / "ids.txt"
    file.write_text("fine-1\nnot fine\n")
    groups = [
        group("one", ["good", 12345, "a b"], nonsense=1),
        group("two", ["x"], instance_ids_file="ids.txt"),
        group("three", ["y"], instance_ids_file=str(file)),
        group("one", ["z"], region=["cn-north-4"]),
        group("five", ["v"]),
    ]
    groups[4]["settings"]["WIFI"]["H265"]["720P"] = {"code_rate": 6050, "fps": 25}
    del groups[4]["settings"]["WIRED"]["H264"]
    options = {
        **ansible.connection,
        "instance_groups": groups,
        "state_url": "sqlite:fleet.sqlite3",
        "max_changed": "120%",
    }
    expected = [
        "instance_groups[0]: unknown option",
        "instance_groups[0].instance_ids[1]: 12345 is not a string; quote it",
        'instance_groups[0].instance_ids[2]: "a b" is not an instance id',
        'instance_groups[1].instance_ids_file: "ids.txt" is not an absolute path',
        'instance_groups[2].instance_ids_file, line 2: "not fine" is not an instance id',
        'instance_groups[3].name: "one" is already the name of instance_groups[0]',
        "instance_groups[3].region: ",
        "instance_groups[4].settings.WIFI.H265.720P.code_rate: 6050 is not a multiple of 100",
        "instance_groups[4].settings.WIFI.H265.720P.fps: 25 is neither 30 nor 60",
        "instance_groups[4].settings.WIRED: H264 is missing",
        "state_url: it is not of the form sqlite:////",
        'max_changed: "120%" is neither',
    ]
    ran = ansible.run(options, {**options, "task": {"check_mode": True}}, flags=["-vvv"])
    for result in ran.results:
        assert result["failed"] is True
        assert result["changed"] is False
        assert len(result["mistakes"]) == 12
        for start in expected:
            assert [mistake for mistake in result["mistakes"] if mistake.startswith(start)], start
        first, *lines = result["msg"].splitlines()
        assert first == "12 mistakes in the input; nothing was sent:"
        assert lines == [f"- {mistake}" for mistake in result["mistakes"]]
        assert "good" not in json.dumps(result)
    assert emulator.requests(None) == []
    assert not list(tmp_path.glob("*.sqlite3"))
    assert_no_trace(ran.output)


def test_bad_instance_is_named_and_the_rest_is_applied(ansible: Ansible, emulator: Emulator) -> None:
    emulator.add(["k-00007"], kind="frozen")
    groups = [group("kiosks", ids("k", 100)), group("offices", ids("o", 10), 4000)]
    ran = ansible.run({**ansible.connection, "instance_groups": groups})
    result = ran.result
    assert ran.status == 0  # The task's failure was ignored.
    assert result["failed"] is True
    assert result["changed"] is True
    assert result["summary"] == counts(110, changed=109, failed=1, unknown=110)
    last = [request for request in emulator.requests() if request["instance_ids"] == ["k-00007"]][-1]
    (failed,) = result["failed_instances"]
    assert failed["error_msg"].startswith("an instance is frozen")
    assert {name: value for name, value in failed.items() if name != "error_msg"} == {
        "instance_id": "k-00007",
        "group": "kiosks",
        "http_status": 200,
        "error_code": "KOOPHONE.API.2004",
        "request_id": last["request_id"],
    }
    assert result["requests"] == emulator.count()
    assert "1 instance failed" in result["msg"]
    assert "109 instances changed" in result["msg"]
    assert_as_documented(result)
    assert_no_trace(ran.output)


def test_trouble_on_the_way_shows_neither_a_stack_trace_nor_a_secret(ansible: Ansible, emulator: Emulator) -> None:
    secret = "MIIPAgYJ+KoZI/hvcNAQcC<o0=" * 20
    emulator.config(static_tokens=[secret])
    emulator.fault("html", http_status=502, echo_headers=True, ids=["html"], times=None)
    emulator.fault("error", http_status=500, error_msg=f"You sent {secret}", ids=["error"], times=None)
    emulator.fault("redirect", location=f"https://login.example.com/{secret}", ids=["redirect"], times=None)
    emulator.fault("drop", ids=["drop"], times=None)
    options = {**ansible.connection, "auth_token": secret, "retries": 0}
    places = ["html", "error", "redirect", "drop"]
    tasks = [{**options, "instance_groups": [group("g", [place])]} for place in places]
    tasks += [
        {**options, "instance_groups": [group("g", ["refused"])], "endpoint": "http://127.0.0.1:1"},
        {**options, "instance_groups": [group("g", ["wrong"])], "auth_token": "quite-another-token"},
        {**options, "instance_groups": [group("g", ["state"])], "state_url": "sqlite:////proc/koophone/fleet.sqlite3"},
    ]
    ran = ansible.run(*tasks, flags=["-vvvv"])
    assert all(result["failed"] and result["changed"] is False for result in ran.results)
    assert all(result["msg"] for result in ran.results)
    for result in ran.results[:-1]:
        assert_as_documented(result)
        assert result["summary"]["failed"] == 1
    assert "APIGW.0301" in ran.results[5]["msg"]
    assert "/proc/koophone/fleet.sqlite3" in ran.results[6]["msg"]
    assert_no_trace(ran.output)
    parts = [secret[start : start + 12] for start in range(len(secret) - 12)]
    kept = ansible.state_file.read_bytes()
    for shown in (ran.output, json.dumps(ran.results), kept.decode("latin-1")):
        assert not any(part in shown for part in parts)
        assert "quite-another-token" not in shown


def test_options_come_from_the_environment_and_what_is_empty_counts_as_unset(
    ansible: Ansible, emulator: Emulator, tmp_path: Path
) -> None:
    environment = {
        "KOOPHONE_ENDPOINT": emulator.url,
        "KOOPHONE_AUTH_TOKEN": emulator.token,
        "KOOPHONE_STATE_URL": f"sqlite:///{ansible.state_file}",
        "KOOPHONE_SERVICE": "production",
        "KOOPHONE_TIMEOUT": "12.5",
        "KOOPHONE_SETTLE": "7",
        "KOOPHONE_RETRIES": "2",
        "KOOPHONE_CONCURRENCY": "3",
        "KOOPHONE_CA_PATH": str(tmp_path),
        "KOOPHONE_INSECURE_SKIP_TLS_VERIFY": "False",
    }
    unset = {**dict.fromkeys(environment, ""), "KOOPHONE_STATE_URL": f"sqlite:///{ansible.state_file}"}
    groups = [group("g", ["a"])]
    checked = {"check_mode": True}
    ran = ansible.run(
        {"instance_groups": groups},
        {"instance_groups": groups, "timeout": 5, "service": "other", "task": checked},
        {"instance_groups": groups, "task": {**checked, "environment": unset}},
        {"instance_groups": groups, "task": {**checked, "environment": {"KOOPHONE_INSECURE_SKIP_TLS_VERIFY": "True"}}},
        environment=environment,
        flags=["-vvv"],
    )
    assert emulator.count() == 1
    first, second, third, fourth = ran.arguments
    assert ran.results[0]["requests"] == 1
    assert (first["endpoint"], first["service"]) == (emulator.url, "production")
    assert (first["timeout"], first["settle"], first["retries"], first["concurrency"]) == (12.5, 7, 2, 3)
    assert (first["ca_path"], first["insecure_skip_tls_verify"]) == (str(tmp_path), False)
    # What the task says wins; another service is another memory.
    assert (second["timeout"], second["retries"], second["service"]) == (5, 2, "other")
    assert ran.results[1]["changed"] is True
    assert third["endpoint"] == "https://koophone.myhuaweicloud.com"
    assert (third["timeout"], third["settle"], third["retries"], third["concurrency"]) == (30, 60, 5, 8)
    assert (third["service"], third["ca_path"], third["insecure_skip_tls_verify"]) == (None, None, False)
    assert fourth["insecure_skip_tls_verify"] is True
    assert emulator.token not in ran.output


def test_module_defaults_of_the_action_group_are_taken(ansible: Ansible, emulator: Emulator) -> None:
    defaults = {"group/koophone.fleet.koophone": {**ansible.connection, "timeout": 11}}
    ran = ansible.run({"instance_groups": [group("g", ["a"])]}, play={"module_defaults": defaults}, flags=["-vvv"])
    assert ran.result["requests"] == emulator.count() == 1
    assert ran.arguments[0]["timeout"] == 11


def test_memory_that_would_vanish_is_refused_unless_asked_for(ansible: Ansible, emulator: Emulator) -> None:
    groups = {"endpoint": emulator.url, "auth_token": emulator.token, "instance_groups": [group("g", ["a"])]}
    explicit = {**groups, "state_url": f"sqlite:///{ansible.state_file}"}
    ran = ansible.run(
        {**groups, "task": {"environment": {"AWX_PRIVATE_DATA_DIR": "/runner"}}},
        {**groups, "task": {"environment": {"CI": "true"}, "check_mode": True}},
        {**explicit, "task": {"environment": {"CI": "true"}}},
    )
    for result, variable in zip(ran.results, ("AWX_PRIVATE_DATA_DIR", "CI"), strict=False):
        assert result["failed"] is True
        (mistake,) = result["mistakes"]
        assert mistake.startswith("state_url: ")
        assert f"{variable} is set" in mistake
        assert "PostgreSQL" in mistake
    assert ran.results[2]["changed"] is True
    (warning,) = ran.results[2]["warnings"]
    assert str(ansible.state_file) in warning
    assert "CI is set" in warning
    assert not (ansible.folder / "default-state").exists()
    assert emulator.count() == 1


def test_only_the_first_are_changed_and_the_rest_is_left_for_later(ansible: Ansible, emulator: Emulator) -> None:
    ids = [f"i{number:02}" for number in range(40)]
    wanted = {**ansible.connection, "instance_groups": [group("one", ids[:20]), group("two", ids[20:], 4000)]}
    ran = ansible.run(
        {**wanted, "up_to": "10%", "force": True, "fleet_size": 0},
        {**wanted, "up_to": "10%", "task": {"check_mode": True}},
        {**wanted, "up_to": "10%"},
        {**wanted, "up_to": "10%"},
        {**wanted, "up_to": "12", "approved_plan": "{{ result_1.plan_digest }}"},
        {**wanted, "approved_plan": "{{ result_1.plan_digest }}"},
    )
    assert [mistake.partition(":")[0] for mistake in ran.results[0]["mistakes"]] == ["up_to", "fleet_size"]
    # What check mode says is what becomes of it.
    for name in ("changed", "summary", "changed_instances", "plan_digest", "diff"):
        assert ran.results[1][name] == ran.results[2][name]
    summary = {"instances": 40, "changed": 4, "unchanged": 0, "failed": 0, "unknown": 40, "not_attempted": 36}
    assert ran.results[2]["summary"] == summary
    assert ran.results[3]["summary"] == {**summary, "changed": 0, "unchanged": 4, "unknown": 36}
    assert ran.results[3]["requests"] == 0
    # What was approved is the whole, and these continue it.
    assert [ran.results[index]["summary"]["changed"] for index in (4, 5)] == [8, 28]
    assert set(ran.results[2]["changed_instances"]).isdisjoint(ran.results[4]["changed_instances"])
    assert all(state["settings"] for state in emulator.state().values())
    assert_as_documented(ran.results[5])


def test_limits_and_approvals_are_checked_before_anything_is_sent(ansible: Ansible, emulator: Emulator) -> None:
    # The second is frozen until it was refused twice: together with the first, and alone.
    emulator.add(["b"], kind="frozen", passes_after=2)
    wanted = {**ansible.connection, "instance_groups": [group("g", ["a", "b"])]}
    other = {**ansible.connection, "instance_groups": [group("g", ["a", "b"], 4000)]}
    approved = {"approved_plan": "{{ result_0.plan_digest }}"}
    ran = ansible.run(
        {**wanted, "task": {"check_mode": True}},
        {**wanted, "max_changed": "1"},
        {**wanted, "max_changed": "60%", "task": {"check_mode": True}},
        {**wanted, "approved_plan": "0" * 64},
        {**wanted, **approved, "max_changed": "100%"},
        {**wanted, **approved},
        {**wanted, **approved},
        {**other, **approved},
        {**wanted, "approved_plan": "0" * 64},
    )
    digest = ran.results[0]["plan_digest"]
    assert [result.get("failed", False) for result in ran.results] == [
        False, True, True, True, True, False, False, True, False,
    ]  # fmt: skip
    for result, text in ((ran.results[1], "max_changed is 1"), (ran.results[2], "max_changed is 60%")):
        assert text in result["msg"]
        assert "2 are to be changed, 2 of them unknown" in result["msg"]
        assert "never applied" in result["msg"]
    assert digest in ran.results[3]["msg"]
    assert "0" * 64 in ran.results[3]["msg"]
    # Approved, and failed for one of them; the rest needs no new approval.
    assert ran.results[4]["changed_instances"] == ["a"]
    assert [one["instance_id"] for one in ran.results[4]["failed_instances"]] == ["b"]
    assert ran.results[5]["changed_instances"] == ["b"]
    assert (ran.results[6]["changed"], ran.results[6]["requests"]) == (False, 0)
    assert digest in ran.results[7]["msg"]
    # An empty plan needs none.
    assert ran.results[8]["changed"] is False
    assert emulator.count() == 4
    assert {tuple(request["instance_ids"]) for request in emulator.requests()} == {("a", "b"), ("a",), ("b",)}
    assert "Nothing was sent" in ran.results[7]["msg"]
    assert_no_trace(ran.output)


def test_force_and_age_send_again_what_was_applied(ansible: Ansible, emulator: Emulator) -> None:
    wanted = {**ansible.connection, "instance_groups": [group("g", ids("i", 5))]}
    ran = ansible.run(
        wanted,
        {**wanted, "max_age": "1h"},
        {**wanted, "max_age": "0s"},
        {**wanted, "force": True, "batch_size": 2},
        {**wanted, "force": False},
        flags=["--diff"],
    )
    assert [result["requests"] for result in ran.results] == [1, 0, 1, 3, 0]
    assert [result["summary"]["unknown"] for result in ran.results] == [5, 0, 5, 0, 0]
    assert len({result["plan_digest"] for result in ran.results[1:]}) == 4
    assert emulator.count() == 5
    assert "force" in ran.results[3]["diff"][0]["after"]


def test_large_fleet_comes_from_a_file_and_its_result_stays_small(
    ansible: Ansible, emulator: Emulator, tmp_path: Path
) -> None:
    everyone = [f"{number:032}" for number in range(20_000)]
    lines = "".join(f"{instance_id}  # number {n}\r\n" for n, instance_id in enumerate(everyone))
    file = tmp_path / "ids.txt"
    file.write_text(f"\ufeff# the fleet\r\n\r\n{lines}", encoding="utf-8")
    groups = [
        group("all", everyone[:3], instance_ids_file=str(file)),
        group("some", everyone[5:7], instance_settings=api_settings(), settings=...),
    ]
    ran = ansible.run({**ansible.connection, "instance_groups": groups}, flags=["--check", "--diff", "-vvv"])
    result = ran.result
    assert result["summary"] == counts(20_000, changed=20_000, unknown=20_000)
    assert [one["instances"] for one in result["instance_groups"]] == [20_000, 2]
    assert (len(result["changed_instances"]), result["changed_instances_total"]) == (100, 20_000)
    assert len(json.dumps(result)) < 300_000
    assert everyone[12_345] not in ran.output
    assert emulator.count() == 0


def api_settings() -> list[dict[str, Any]]:
    """The settings of `settings()` in the API's own shape, its numbers as text."""
    return [
        {
            "network_type": network,
            "encoding_type": codec,
            "video_spec_groups": [
                {f"definition_{name}": {field: str(v) for field, v in spec.items()} for name, spec in specs.items()}
            ],
        }
        for network, codecs in settings().items()
        for codec, specs in codecs.items()
    ]
