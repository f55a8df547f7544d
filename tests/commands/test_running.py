"""What our own commands have in common."""

from orderapp import change_log
from orderapp.commands.running import run


def test_others_are_silent_while_a_command_runs_and_no_longer(caplog, monkeypatch):
    monkeypatch.setattr("signal.signal", lambda *_: None)

    async def work():
        change_log.logger.error("meanwhile")
        return 7

    assert run(work()) == 7
    change_log.logger.error("afterwards")

    assert caplog.messages == ["afterwards"]
