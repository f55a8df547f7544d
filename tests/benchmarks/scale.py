"""Two orderapp workers that share the work, to be compared with one."""

from dataclasses import replace

from tests.benchmarks.contenders import ORDERAPP

#: They share the partitions and the store. The broker needs a core too: on a machine with two
#: cores, two workers have hardly more to share than one has.
TWO_WORKERS = replace(ORDERAPP, name="orderapp, two workers", copies=2)
