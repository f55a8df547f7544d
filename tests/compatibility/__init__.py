"""What the last release promised, and what of this code breaks it.

    python -m tests.compatibility          what breaks; exit status 1 if anything does
    python -m tests.compatibility --keep   at a release: what users may rely on from now on

docs/stability.md is the policy. `released/` has a file for each of its promises that can be
compared.
"""
