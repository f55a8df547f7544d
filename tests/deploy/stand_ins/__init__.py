"""Images under the names of Kafka's and Couchbase's, where those can't be pulled."""
