#!/bin/sh
# Gives a service account of Confluent Cloud what orderapp needs, and no more:
#   deploy/confluent-acls.sh sa-123456
# The Confluent CLI has to be logged in, with the cluster chosen (`confluent kafka cluster use`).
set -eu
account=${1:?the id of the service account, such as sa-123456}

allow() {
    operations=$1
    shift
    confluent kafka acl create --allow --service-account "$account" --operations "$operations" "$@"
}

# orderapp makes its topics itself, with 6 partitions. To make them by hand, leave out `create`.
allow create,read,write --topic orders
allow create,read,write --topic fraud-alerts
allow create,read,write --topic fraud-alerts-shadow
allow create,read,write --topic payments
# Fraud sends orders on to itself there, for rules that know a customer's other orders.
allow create,read,write --topic orders-by-customer
# Read: for analytics, which stores what failed, and for the command `dlq`.
allow create,read,write --topic orders-dlq
# What was replayed or dropped. Read and write: for the command `dlq`, which needs no group.
allow create,read,write --topic orders-dlq-resolved
# Changes of rules. Read: by each worker with fraud or web. Write: for web and the command `rules`.
allow create,read,write --topic orderapp-control
# Producers agree by it on the one that produces.
allow create,read --topic producer-group-__assignor-__leader

# One group for each service.
allow read --consumer-group producer-group
allow read --consumer-group fraud-group
allow read --consumer-group payment-group
allow read --consumer-group analytics-group
