# orderapp as an image. Two targets, made from the same wheel:
#
#   docker build -t orderapp:VERSION .                          production: Kafka is elsewhere
#   docker build -t orderapp:embedded --target embedded .       with Kafka and its Java inside
#
# Behind a company's proxy with certificates of its own: `--secret id=ca,src=FILE` names a PEM file
# with all CAs that the build meets; nothing of it stays in the image.
#
# Needs BuildKit, the default of Docker since 23. The Python image is pinned by version; to pin
# it for good, append the digest that `docker buildx imagetools inspect` shows.
FROM python:3.13.14-slim-trixie AS slim


# -- faust-streaming has no wheel for linux/arm64. There one is made from its sdist, whose hash the
#    lock has too, with tools that are locked; elsewhere nothing is compiled.
FROM slim AS faust-amd64
WORKDIR /wheels

FROM slim AS faust-arm64
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
COPY deploy/requirements-faust.txt /locks/
RUN --mount=type=secret,id=ca PIP_CERT=$(ls /run/secrets/ca 2>/dev/null) \
    pip install --only-binary :all: --no-deps --require-hashes -r /locks/requirements-faust.txt
COPY deploy/requirements.txt /locks/
RUN sed -n '/^faust-streaming==/,/[^\\]$/p' /locks/requirements.txt > /locks/faust.txt
RUN --mount=type=secret,id=ca PIP_CERT=$(ls /run/secrets/ca 2>/dev/null) \
    pip wheel --no-binary :all: --no-deps --no-build-isolation --require-hashes \
    --wheel-dir /wheels -r /locks/faust.txt

# hadolint ignore=DL3006
FROM faust-${TARGETARCH} AS faust


# -- Dependencies: every package by version and hash, wheels only, so that no compiler is needed.
#    A layer of their own: a change to the code leaves it as it is.
FROM slim AS dependencies
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
# Without pip of its own: nothing is to be installed at run time.
RUN python -m venv --without-pip /opt/orderapp
# A stop in the worker's first second is heard too.
COPY deploy/sitecustomize.py /opt/orderapp/lib/python3.13/site-packages/sitecustomize.py
# What was made above comes first: it then counts as installed.
RUN --mount=type=bind,from=faust,source=/wheels,target=/wheels \
    find /wheels -name '*.whl' -exec \
    pip --python /opt/orderapp/bin/python install --no-deps --no-index {} +
COPY deploy/requirements.txt /locks/
RUN --mount=type=secret,id=ca PIP_CERT=$(ls /run/secrets/ca 2>/dev/null) \
    pip --python /opt/orderapp/bin/python install --only-binary :all: --no-deps \
    --require-hashes -r /locks/requirements.txt

FROM dependencies AS dependencies-embedded
COPY deploy/requirements-embedded.txt /locks/
RUN --mount=type=secret,id=ca PIP_CERT=$(ls /run/secrets/ca 2>/dev/null) \
    pip --python /opt/orderapp/bin/python install --only-binary :all: --no-deps \
    --require-hashes -r /locks/requirements-embedded.txt


# -- Kafka's jars, checked against jars.lock. The engine needs nothing of the rest, so that no
#    other change makes this layer anew.
FROM dependencies-embedded AS jars
COPY orderapp/engine/ /src/orderapp/engine/
ENV M2_REPO=/opt/m2 PYTHONPATH=/src
RUN --mount=type=secret,id=ca REQUESTS_CA_BUNDLE=$(ls /run/secrets/ca 2>/dev/null) \
    /opt/orderapp/bin/python -c \
    "from orderapp.engine.embedded.jars import classpath; classpath(lambda seconds: None)"


# -- The wheel.
FROM slim AS wheel
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
COPY deploy/requirements-build.txt /locks/
RUN --mount=type=secret,id=ca PIP_CERT=$(ls /run/secrets/ca 2>/dev/null) \
    pip install --only-binary :all: --require-hashes -r /locks/requirements-build.txt
WORKDIR /src
COPY setup.cfg pyproject.toml README.md LICENSE ./
COPY orderapp/ orderapp/
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheels .


# -- What both images have in common, and what they are run with.
FROM slim AS base
# A fixed id, so that volumes and task definitions can name it. The data directory is the only
# place that is written; a volume on it takes over its owner.
RUN groupadd --gid 10001 orderapp \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/orderapp \
        --shell /usr/sbin/nologin orderapp \
    && install -d -o orderapp -g orderapp -m 0700 /var/lib/orderapp
# PYTHONUNBUFFERED: a log line is out before a crash. PYTHONDONTWRITEBYTECODE: it was compiled
# when it was installed. 0.0.0.0: inside a container loopback is reached by nobody.
ENV PATH=/opt/orderapp/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ORDERAPP_DATA_DIR=/var/lib/orderapp \
    ORDERAPP_WEB_HOST=0.0.0.0
WORKDIR /var/lib/orderapp
VOLUME /var/lib/orderapp
EXPOSE 6066
COPY deploy/healthcheck.py /usr/local/lib/orderapp/healthcheck.py
# ECS and Compose run the same command.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-IS", "/usr/local/lib/orderapp/healthcheck.py"]
# The worker is process number 1 and gets the signal itself: it finishes what it has read,
# commits, and ends within 8 s.
STOPSIGNAL SIGTERM
ENTRYPOINT ["faust", "-A", "orderapp", "worker"]
CMD ["-l", "info"]
ARG VERSION=unspecified
ARG REVISION=unspecified
LABEL org.opencontainers.image.title="orderapp" \
      org.opencontainers.image.description="The reference order pipeline for Python: Faust, Kafka and Couchbase from end to end." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="docker.io/library/python:3.13.14-slim-trixie"


# -- Everything in one container: real Kafka, SQLite, all services. It starts without a network.
FROM base AS embedded
COPY --from=jars /opt/m2 /opt/m2
COPY --from=dependencies-embedded /opt/orderapp /opt/orderapp
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    pip --python /opt/orderapp/bin/python install --no-cache-dir --no-deps --no-index \
    /wheels/orderapp-*.whl
ENV M2_REPO=/opt/m2
USER 10001:10001


# -- Production, the default target: neither Java nor a broker, so KAFKA_BOOTSTRAP_SERVERS is
#    needed.
FROM base AS production
COPY --from=dependencies /opt/orderapp /opt/orderapp
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    pip --python /opt/orderapp/bin/python install --no-cache-dir --no-deps --no-index \
    /wheels/orderapp-*.whl
USER 10001:10001
