"""Footage in, alert out, by the real processes and the real models."""

import json

from consumers.alerts.desk_database import DeskDatabase
from tests.builders_rules import alerts_on
from tests.system.conftest import Finished


def test_three_shoppers_without_a_vest_are_three_alerts_and_the_worker_with_one_is_none(all_clips: Finished) -> None:
    desk = DeskDatabase(f"sqlite:///{all_clips.installation.state / 'desk.sqlite3'}")
    alerts = alerts_on(desk)
    desk.close()
    by_camera = {camera: [a for a in alerts if a.camera_id == camera] for camera in ("aisle", "zone", "inbox")}
    assert {camera: len(found) for camera, found in by_camera.items()} == {"aisle": 3, "zone": 0, "inbox": 0}
    assert len({alert.chain_id for alert in by_camera["aisle"]}) == 3
    for alert in by_camera["aisle"]:
        assert alert.numbers["share"] >= 0.7
        assert alert.numbers["seconds"] >= 2
        assert (all_clips.installation.state / "media" / alert.crop_uri.removeprefix("media:///")).exists()
    assert f"{len(alerts)} alerts" in all_clips.output


def test_the_command_line_tries_the_rules_and_says_why(all_clips: Finished) -> None:
    installation = all_clips.installation
    config = ["--config", str(installation.config)]
    rules = str(installation.folder / "rules.yaml")
    cameras = ["--camera", "aisle", "--camera", "nosuch"]
    tried = installation.run("rules", "test", rules, "--since", "3650d", *cameras, "--json", *config)
    assert tried.returncode == 0, tried.stderr
    assert "no footage of camera nosuch" in tried.stderr
    trial = json.loads(tried.stdout)
    assert [len(trial[side][0]["alerts"]) for side in ("tried", "in_force")] == [3, 3]
    (worker, *_) = all_clips.people("zone")
    why = installation.run("rules", "why", worker["person_id"], "--json", *config)
    (vest,) = json.loads(why.stdout)["rules"]
    assert vest["outcome"] == "no alert"
    assert "complied" in vest["because"]
    missing = installation.run("rules", "why", "nobody", *config)
    assert (missing.returncode, missing.stdout) == (1, "")
    assert len(missing.stderr.strip().splitlines()) == 1
