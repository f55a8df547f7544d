#!/bin/sh
# What the start of the image apache/kafka does: KAFKA_A_B is Kafka's setting a.b, and storage that
# is new gets the cluster's id.
set -eu
printenv | sed -n 's/^KAFKA_//p' | grep -v ^HEAP_OPTS= | while IFS== read -r name value; do
    printf '%s=%s\n' "$(echo "$name" | tr A-Z_ a-z.)" "$value"
done > config/server.properties

CLASSPATH=$(cat classpath)
export CLASSPATH
# As little of Java as will do: this Kafka is not measured.
java() { echo ./java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Dorg.slf4j.simpleLogger.defaultLogLevel=warn; }
$(java) kafka.tools.StorageTool format --ignore-formatted \
    --cluster-id "$CLUSTER_ID" --config config/server.properties
# shellcheck disable=SC2086 # several options
exec $(java) $KAFKA_HEAP_OPTS kafka.Kafka config/server.properties
