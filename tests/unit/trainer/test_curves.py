"""Learning curves as they are read back."""

from pathlib import Path

from trainer.curves import read_curves


def test_a_line_that_was_cut_off_as_it_was_written_is_left_out(tmp_path: Path) -> None:
    assert read_curves(tmp_path) == []
    whole = "step,name,value\r\n10,train/answer_loss_nats,0.5\r\n"
    row = (10, "train/answer_loss_nats", 0.5)
    for cut in ("", "20", "20,train/ans", "20,train/answer_loss_nats,0.4"):
        (tmp_path / "curves.csv").write_bytes((whole + cut).encode())
        assert read_curves(tmp_path) == [row]
    (tmp_path / "curves.csv").write_bytes(b"step,na")
    assert read_curves(tmp_path) == []
