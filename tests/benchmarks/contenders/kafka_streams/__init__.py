"""Kafka Streams: an application in Java with the Streams DSL, one process with one thread.

It needs the embedded broker's jars and `JARS`, and runs on the broker's Java, which has no
compiler: Eclipse's is among the jars. RocksDB (70 MB) is not: it is loaded only for state.
"""

from orderapp.engine.embedded.jars import Jar

#: Kafka Streams, of the broker's version; the compiler; SQLite.
JARS = (
    Jar(
        "6e06548a119adf213121ad2e4fefff6ab4263875b4f761425ace8ea4f5ba04a6",
        2_446_342,
        "org.apache.kafka:kafka-streams:4.4.0",
    ),
    Jar(
        "74c93172475fee0cd4e6eefb44233516dd40525642da35d009146d97ea598229",
        3_384_534,
        "org.eclipse.jdt:ecj:3.46.100",
    ),
    Jar(
        "f8dce420a6016278497f4f0560f65602b9db858de141b541cf91a4644ebe4639",
        12_132_578,
        "org.xerial:sqlite-jdbc:3.54.1.0",
    ),
)
