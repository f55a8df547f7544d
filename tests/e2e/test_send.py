"""`faust -A orderapp send` against a real broker: Faust's output, or one line."""

import json

from tests.e2e import records, topic_settings
from tests.e2e.worker import faust

ORDER = '{"order_id":7,"customer_id":1234,"amount":350,"country":"DE"}'


def test_it_sends_and_says_where_or_says_in_one_line_why_not(tmp_path, own_kafka):
    kafka = {"KAFKA_BOOTSTRAP_SERVERS": own_kafka.bootstrap_servers}

    def send(*arguments):
        return faust(tmp_path / "data", "send", *arguments, **kafka)

    def refused(*arguments):
        run = send(*arguments)
        assert (run.returncode, run.stdout) == (1, "")
        (line,) = run.stderr.splitlines()
        assert line.startswith("orderapp: ")
        return line

    sent = send("orders", ORDER, "--key", "7", "--value-type", "Order", "--repeat", "2")
    assert sent.returncode == 0, sent.stderr
    first, second = map(json.loads, sent.stdout.splitlines())
    assert (first["topic"], first["offset"], second["offset"]) == ("orders", 0, 1)

    assert "the topic 'ordrs' does not exist" in refused("ordrs", ORDER)
    assert "no partition 99: it has 0 to 5" in refused("orders", ORDER, "--partition", "99")
    topic_settings.create(own_kafka.bootstrap_servers, "small", max_message_bytes="100")
    assert "MessageSizeTooLarge" in refused("small", ORDER)
    own_kafka.kill()
    assert own_kafka.bootstrap_servers in refused("orders", ORDER)
    own_kafka.restart()

    assert [r.key for r in records.read(own_kafka.bootstrap_servers, "orders")] == [b"7", b"7"]
