"""What of a change to `/asyncapi.json` breaks who reads or writes a topic.

Workers of two versions share the topics during an update, so that each message has to be read
by both: what one of them wrote, and what others send to it.
"""

from tests.compatibility.requests import Comparison


def breaks(old, new):
    """Each break, in one line that names its topic."""
    found = []
    for topic, channel in old["channels"].items():
        there = new["channels"].get(topic)
        if there is None:
            found.append(f"the topic {topic} is removed")
            continue
        was, now = (_partitions(each) for each in (channel, there))
        if was != now:
            found.append(f"{topic}: {now} partitions, and had {was}")
        for name in channel["messages"]:
            if name in there["messages"]:
                found += _message(name, old, new)
            else:
                found.append(f"{topic}: the message {name} is removed")
    return found


def _partitions(channel):
    return channel["bindings"]["kafka"]["partitions"]


def _message(name, old, new):
    compared = Comparison(old, new)
    was, now = (each["components"]["messages"][name] for each in (old, new))
    for part, place in (("payload", "the value"), ("headers", "the headers")):
        for is_answer in (True, False):
            compared.schema(
                f"{name}: {place}",
                was.get(part, {}),
                now.get(part, {}),
                is_answer=is_answer,
            )
    was, now = (each["bindings"]["kafka"]["key"].get("description") for each in (was, now))
    if was != now:
        compared.found.append(f"{name}: the key is {now}, and was {was}")
    return [*dict.fromkeys(compared.found)]
