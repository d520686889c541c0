"""What every test may ask for: real footage where it is at hand, footage made from packaged pictures always."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

collect_ignore = ["rtsp_server.py"]  # runs by Debian's Python, which has GStreamer's bindings; ours has not

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("YOLO_OFFLINE", "1")

DATA = Path(os.environ.get("CREWSIGHT_TEST_DATA", Path(__file__).parents[2] / "shared" / "data")).resolve()


def pytest_configure() -> None:
    """Keep torch to one thread: beside another test worker a second one only waits for the first at every barrier."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


SYSTEM_TEST_S = 900  # whole runs of all processes over all clips, beside another worker
BROWSER_TEST_S = 900  # the same, and several waits of a minute and a half: a slow machine is no fault of the page


@pytest.hookimpl(tryfirst=True)  # before the workers' plugin reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of one file together, and all system tests, which share the runs they look at.

    Two busy cores may starve a browser, which is no fault of the page: its tests have a second try, named at the end.
    """
    for item in items:
        is_system = "tests/system/" in item.path.as_posix()
        item.add_marker(pytest.mark.xdist_group("system" if is_system else item.path.as_posix()))
        if is_system:
            item.add_marker(pytest.mark.timeout(SYSTEM_TEST_S))
        elif "tests/browser/" in item.path.as_posix():
            item.add_marker(pytest.mark.timeout(BROWSER_TEST_S))
            item.add_marker(pytest.mark.flaky(reruns=1))


def real_data(relative: str) -> Path:
    """A file or folder of the test data; the test is skipped, or failed where data is required, when it is absent."""
    path = DATA / relative
    if path.exists():
        return path
    reason = f"no test data at {path} (set CREWSIGHT_TEST_DATA)"
    if os.environ.get("CREWSIGHT_REQUIRE_DATA") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def clip() -> Callable[[str], Path]:
    """`clip("one-by-one.mp4")`: the path of a real clip."""
    return lambda name: real_data(f"videos/{name}")


@pytest.fixture(scope="session")
def ppe_photos() -> Path:
    """The folder of labelled photos."""
    return real_data("ppe")


@pytest.fixture(scope="session")
def demo_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Footage made from packaged pictures: what a stranger's machine always has."""
    from streamer.demo import demo_footage

    return demo_footage(tmp_path_factory.mktemp("demo"))
