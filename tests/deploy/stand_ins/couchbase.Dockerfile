# couchbase, where it can't be pulled: the double, behind as much of the REST API as sets it up.
# It keeps nothing. Its context is the directory `tests`.
FROM orderapp:test-production
USER root
WORKDIR /stand-in
COPY __init__.py ports.py tests/
COPY couchbase_double/ tests/couchbase_double/
COPY deploy/__init__.py deploy/couchbase_rest.py tests/deploy/
COPY deploy/stand_ins/*.py tests/deploy/stand_ins/
HEALTHCHECK NONE
ENTRYPOINT ["python", "-m", "tests.deploy.stand_ins.couchbase"]
CMD []
