"""orderapp's worker with a rule with a window in the shadow: what it costs to ask it.

The orders that wait come at once, and have few customers: the rule's limit is above what any of
them orders, so that no alerts are in the figure.

python -m tests.benchmarks.contenders.velocity worker -l warn
"""

from orderapp import app
from orderapp.judging import rules

RULE, LIMIT = "CUSTOMER_VELOCITY", 500

if __name__ == "__main__":
    rules.declared[RULE] = rules.all[RULE].changed("shadow", 1, {"limit": LIMIT})
    rules.put({**rules.all, RULE: rules.declared[RULE]})
    app.main()
