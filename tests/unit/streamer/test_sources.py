import os
from pathlib import Path

import pytest

from streamer.errors import SourceError
from streamer.sources.file import FileSource
from streamer.sources.folder import FolderSource


def names(found: list) -> list[str]:  # type: ignore[type-arg]
    return [item.path.name for item in found]


def test_a_file_is_offered_once_it_rests(tmp_path: Path) -> None:
    source = FolderSource(tmp_path, rest_s=5)
    clip = tmp_path / "a.mp4"
    clip.write_bytes(b"1")
    assert names(source.look(0)) == []
    assert names(source.look(4.9)) == []
    assert names(source.look(5)) == ["a.mp4"]
    assert names(source.look(100)) == []


def test_a_file_that_grows_starts_to_rest_anew(tmp_path: Path) -> None:
    source = FolderSource(tmp_path, rest_s=5)
    clip = tmp_path / "a.mp4"
    clip.write_bytes(b"1")
    source.look(0)
    clip.write_bytes(b"12")
    assert names(source.look(4)) == []
    assert names(source.look(8.9)) == []
    assert names(source.look(9)) == ["a.mp4"]


def test_a_file_rewritten_with_the_same_size_starts_to_rest_anew(tmp_path: Path) -> None:
    source = FolderSource(tmp_path, rest_s=5)
    clip = tmp_path / "a.mp4"
    clip.write_bytes(b"1")
    source.look(0)
    os.utime(clip, ns=(1, 1))
    assert names(source.look(5)) == []
    assert names(source.look(10)) == ["a.mp4"]


def test_a_file_that_changed_after_it_was_taken_is_offered_again(tmp_path: Path) -> None:
    source = FolderSource(tmp_path, rest_s=1)
    clip = tmp_path / "a.mp4"
    clip.write_bytes(b"1")
    source.look(0)
    assert names(source.look(1)) == ["a.mp4"]
    clip.write_bytes(b"22")
    source.look(2)
    assert names(source.look(3)) == ["a.mp4"]


def test_only_videos_are_offered_oldest_first(tmp_path: Path) -> None:
    for age, name in enumerate(["new.MP4", "old.avi", "notes.txt", ".hidden.mp4"]):
        (tmp_path / name).write_bytes(b"1")
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    (tmp_path / "folder.mp4").mkdir()
    source = FolderSource(tmp_path, rest_s=0)
    assert names(source.look(0)) == ["old.avi", "new.MP4"]


def test_once_takes_what_is_there_and_rested_at_once_and_then_ends(tmp_path: Path) -> None:
    clip = tmp_path / "a.mp4"
    clip.write_bytes(b"1")
    os.utime(clip, (1000, 1000))
    (tmp_path / "fresh.mp4").write_bytes(b"1")
    source = FolderSource(tmp_path, rest_s=5, only_present=True)
    assert not source.is_exhausted
    assert names(source.look(0)) == ["a.mp4"]
    assert not source.is_exhausted
    (tmp_path / "late.mp4").write_bytes(b"1")
    assert names(source.look(5)) == ["fresh.mp4"]
    assert source.is_exhausted
    assert names(source.look(50)) == []


def test_a_watched_folder_does_not_trust_an_old_time_and_is_never_exhausted(tmp_path: Path) -> None:
    clip = tmp_path / "a.mp4"
    clip.write_bytes(b"1")
    os.utime(clip, (1000, 1000))
    source = FolderSource(tmp_path, rest_s=5)
    assert names(source.look(0)) == []
    assert names(source.look(5)) == ["a.mp4"]
    assert not source.is_exhausted


def test_a_folder_that_goes_away_offers_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "share"
    folder.mkdir()
    source = FolderSource(folder, rest_s=0)
    folder.rmdir()
    assert source.look(0) == []


def test_a_file_source_offers_its_file_once(tmp_path: Path) -> None:
    clip = tmp_path / "a.mp4"
    clip.write_bytes(b"1")
    source = FileSource(clip)
    assert not source.is_exhausted
    assert names(source.look(0)) == ["a.mp4"]
    assert source.is_exhausted
    assert source.look(1) == []


def test_a_file_that_could_not_be_read_is_offered_again_once_it_is_there_and_rests(tmp_path: Path) -> None:
    share, away = tmp_path / "share", tmp_path / "away"
    share.mkdir()
    for name in ("a.mp4", "b.mp4"):
        (share / name).write_bytes(b"1")
    source = FolderSource(share, rest_s=1)
    source.look(0)
    assert names(source.look(1)) == ["a.mp4", "b.mp4"]
    share.rename(away)
    source.again(share / "b.mp4")
    assert source.look(2) == []
    away.rename(share)
    assert source.look(3) == []
    assert names(source.look(4)) == ["b.mp4"]
    assert source.look(5) == []


def test_once_offers_nothing_again(tmp_path: Path) -> None:
    clip = tmp_path / "a.mp4"
    clip.write_bytes(b"1")
    for source in (FolderSource(tmp_path, rest_s=0, only_present=True), FileSource(clip, only_present=True)):
        assert names(source.look(0)) == ["a.mp4"]
        source.again(clip)
        assert source.is_exhausted
        assert source.look(1) == []


def test_a_file_source_waits_for_its_file_while_it_is_gone(tmp_path: Path) -> None:
    clip = tmp_path / "a.mp4"
    clip.write_bytes(b"1")
    source = FileSource(clip)
    clip.rename(tmp_path / "away")
    assert source.look(0) == []
    (tmp_path / "away").rename(clip)
    assert names(source.look(1)) == ["a.mp4"]
    source.again(clip)
    assert names(source.look(2)) == ["a.mp4"]
    assert source.is_exhausted


def test_a_source_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"source .*gone.mp4: there is no such file"):
        FileSource(tmp_path / "gone.mp4")
    with pytest.raises(SourceError, match=r"source .*gone: there is no such folder"):
        FolderSource(tmp_path / "gone", rest_s=5)


def test_pictures_are_taken_as_videos_are_and_sidecars_are_not(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.PNG", "c.mp4", "a.jpg.xmp", "notes.txt", ".d.jpg"):
        (tmp_path / name).write_bytes(b"1")
    assert sorted(names(FolderSource(tmp_path, rest_s=0, only_present=True).look(0))) == ["a.jpg", "b.PNG", "c.mp4"]


def test_the_folders_in_a_folder_are_watched_only_when_asked(tmp_path: Path) -> None:
    for folder in ("2026/may", ".thumbnails"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "a.jpg").write_bytes(b"1")
    assert FolderSource(tmp_path, rest_s=0, only_present=True).look(0) == []
    (found,) = FolderSource(tmp_path, rest_s=0, only_present=True, with_subfolders=True).look(0)
    assert found.path == tmp_path / "2026/may/a.jpg"
