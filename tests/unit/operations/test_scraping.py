"""What is read of other processes, whatever stands in their notes."""

import pytest

from operations.seeing.scraping import scraped


@pytest.mark.parametrize("address", ["::1:8080", "127.0.0.1:http"])
def test_an_address_that_is_none_is_a_process_that_does_not_answer(address: str) -> None:
    assert scraped("page", address).fault
