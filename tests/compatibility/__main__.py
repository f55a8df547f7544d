import sys

from tests.compatibility.promises import PROMISES, broken, keep


def main(arguments: list[str]) -> int:
    if arguments == ["--keep"]:
        for name in PROMISES:
            keep(name)
        return 0
    found = [line for name in PROMISES for line in broken(name)]
    sys.stdout.writelines(f"{line}\n" for line in found)
    return 1 if found else 0


sys.exit(main(sys.argv[1:]))
