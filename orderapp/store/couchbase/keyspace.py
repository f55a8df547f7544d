"""Where the documents are, as statements name it."""

from orderapp.couchbase_settings import BUCKET_NAME, COLLECTION_NAME, Couchbase
from orderapp.store import StoreRejected


def keyspace(couchbase: Couchbase) -> str:
    """The quoted name of the collection; raises `StoreRejected` for what can't be one."""
    bucket, scope, collection = couchbase.bucket, couchbase.scope, couchbase.collection
    if not BUCKET_NAME.fullmatch(bucket):
        raise StoreRejected(f"{bucket!r} is not a name that a bucket can have")
    for name in (scope, collection):
        if not COLLECTION_NAME.fullmatch(name):
            raise StoreRejected(f"{name!r} is not a name that a collection can have")
    if scope == collection == "_default":
        return f"`{bucket}`"  # also where servers know no collections (before 7.0)
    return f"`{bucket}`.`{scope}`.`{collection}`"
