"""Orders in a Couchbase bucket (a server, a cluster or Capella)."""

from orderapp.store.couchbase.store import CouchbaseStore

__all__ = ["CouchbaseStore"]
