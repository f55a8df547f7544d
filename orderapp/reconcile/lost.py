"""What groups have lost and no worker has noted yet: it was deleted while nobody ran."""

from collections.abc import Collection

from aiokafka.errors import KafkaError
from faust.types import TP

from orderapp.engine.errors import TransientError
from orderapp.engine.health.lag import Reader, choose
from orderapp.engine.kafka.beginnings import known_of, start_of
from orderapp.engine.kafka.cluster import Cluster, let_go
from orderapp.engine.kafka.losses import Loss
from orderapp.engine.kafka.offsets import Clients, Group
from orderapp.readers import readers

#: Seconds that Kafka has to answer a request.
PATIENCE = 10.0


class Groups:
    """Asks where the groups are; use it with `async with`. Raises `TransientError`."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._clients = Clients(cluster, PATIENCE)

    async def __aenter__(self) -> "Groups":
        try:
            await self._clients.start()
        except (KafkaError, OSError, TimeoutError) as error:
            await self.__aexit__()
            raise self._failed(error) from error
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await let_go(self._clients.close())

    async def lost(self) -> list[Loss]:
        """What was deleted behind the offsets that the groups in use have committed."""
        known = readers().values()
        try:
            groups = await self._clients.groups({n for reader in known for n in reader.groups})
            return await self._behind(groups, known)
        except (KafkaError, OSError, TimeoutError) as error:
            raise self._failed(error) from error

    async def _behind(self, groups: dict[str, Group], known: Collection[Reader]) -> list[Loss]:
        topics = {topic for reader in known for topic in reader.topics}
        ids = await self._clients.topic_ids(topics)
        begins = (await self._clients.bounds(topics)).begins
        lost: set[Loss] = set()
        for reader in known:
            group = choose([groups[n] for n in reader.groups if n in groups], reader.topics)
            if group is not None:
                firsts = {TP(*tp): at for tp, at in begins.items() if tp.topic in reader.topics}
                lost |= behind(group, firsts, ids)
        return sorted(lost, key=lambda loss: loss.key)

    def _failed(self, error: Exception) -> TransientError:
        return TransientError(
            f"Kafka at {self._cluster} does not say where groups are: {error!r}"
        )


def behind(group: Group, firsts: dict[TP, int], ids: dict[str, str]) -> set[Loss]:
    """What one group has lost, given where partitions begin and the topics' ids."""
    found = set()
    for tp, known in known_of(firsts, group.offsets, ids).items():
        start = start_of(known)
        if start.lost_from is not None:
            found.add(Loss(group.name, *tp, start.lost_from, start.offset, known.topic_id))
    return found
