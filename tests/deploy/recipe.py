"""A Dockerfile, taken apart: as much of it as the tests need."""

import json
import re
from dataclasses import dataclass, field


@dataclass
class Stage:
    """One stage: its base, its instructions in order, and what it takes over."""

    name: str
    base: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, instruction: str) -> list[str]:
        return [text for name, text in self.instructions if name == instruction]

    def copies(self) -> list[tuple[str | None, list[str], str]]:
        """For each COPY: the stage it is from, the sources, the target."""
        found = []
        for text in self.all("COPY"):
            *flags_and_sources, target = text.split()
            stage = next((w[7:] for w in flags_and_sources if w.startswith("--from=")), None)
            sources = [word for word in flags_and_sources if not word.startswith("--")]
            found.append((stage, sources, target))
        return found


def parse(text: str) -> dict[str, Stage]:
    """The stages in order."""
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.M)
    text = re.sub(r"\\\n\s*", " ", text)
    stages: dict[str, Stage] = {}
    for line in filter(str.strip, text.splitlines()):
        name, rest = line.split(None, 1)
        if name == "FROM":
            base, _, alias = rest.partition(" AS ")
            stage = Stage(alias, base)
            stages[alias] = stage
        else:
            stage.instructions.append((name, rest))
    return stages


def lineage(stages: dict[str, Stage], name: str) -> list[Stage]:
    """A stage and those that it is built on, the last first."""
    found = []
    while name in stages:
        found.append(stages[name])
        name = stages[name].base
    return found


def last(stages: dict[str, Stage], name: str, instruction: str) -> str:
    """The instruction that is in force in a stage."""
    return next(
        texts[-1] for stage in lineage(stages, name) if (texts := stage.all(instruction))
    )


def environment(stages: dict[str, Stage], name: str) -> dict[str, str]:
    variables: dict[str, str] = {}
    for stage in reversed(lineage(stages, name)):
        for text in stage.all("ENV"):
            variables |= dict(pair.split("=", 1) for pair in text.split())
    return variables


def exec_form(text: str) -> list[str]:
    return json.loads(text[text.index("[") :])
