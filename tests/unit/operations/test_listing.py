import pytest

from operations.listing import Listing


def test_cells_are_plain_words_and_nothing_is_cut_off(capsys: pytest.CaptureFixture[str]) -> None:
    listing = Listing("who", "subject")
    listing.add("otto", "[/bold] gate 2026-11-24T14:00:00+00:00 " + "x" * 300)
    listing.show("nobody")
    said = capsys.readouterr().out
    assert "[/bold] gate 2026-11-24T14:00:00+00:00 " + "x" * 300 in said
    assert said.count("\n") == 2


def test_an_empty_listing_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    Listing("who").show("Nobody yet [at all].")
    assert capsys.readouterr().out == "Nobody yet [at all].\n"
