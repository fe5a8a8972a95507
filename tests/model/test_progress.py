from rowloom.model import progress


def test_lines_are_plain_and_rare(capsys):
    with progress.Lines() as shown:
        for done in range(100):
            shown.step(done, 100)
        shown.line("epoch 1")
    captured = capsys.readouterr()
    assert captured.err == "epoch 1\n"
    assert captured.out == ""


def test_lines_tell_how_far_it_is_after_a_while(capsys, monkeypatch):
    monkeypatch.setattr(progress.Lines, "EVERY", 0.0)
    progress.Lines().step(3, 7)
    assert capsys.readouterr().err == "3 of 7 steps\n"


def test_a_bar_on_a_terminal_only(monkeypatch, capsys):
    assert isinstance(progress.progress_for("x"), progress.Lines)
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True)
    bar = progress.progress_for("x")
    assert isinstance(bar, progress.Bar)
    with bar:
        bar.step(1, 2)
        bar.line("epoch [1]")
    assert "epoch [1]" in capsys.readouterr().err


def test_silent(capsys):
    with progress.Silent() as shown:
        shown.step(1, 2)
        shown.line("x")
    assert capsys.readouterr().err == ""
