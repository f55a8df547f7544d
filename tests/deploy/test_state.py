"""The state moves to a bucket, as docs/deploy.md says: with the block of versions.tf."""

import json
import re

from tests.deploy import known
from tests.deploy.fake_aws import client, fake_aws

BUCKET, REGION = "states", "eu-central-1"
STATE = {
    "version": 4,
    "terraform_version": "1.11.0",
    "serial": 1,
    "lineage": "00000000-0000-0000-0000-000000000000",
    "outputs": {"answer": {"value": "here", "type": "string"}},
    "resources": [],
}


def backend():
    """The block, switched on and filled in."""
    versions = known.read("terraform/versions.tf")
    lines = re.findall(r"^  # ( *(?:backend|\w+ +=|\}).*)$", versions, re.M)
    text = "\n".join(lines).replace("YOUR-STATE-BUCKET", BUCKET).replace("YOUR-REGION", REGION)
    return f"terraform {{\n{text}\n}}\n"


def test_the_state_moves_to_the_bucket_and_is_read_from_there(terraform, tmp_path):
    (tmp_path / "terraform.tfstate").write_text(json.dumps(STATE))
    (tmp_path / "backend.tf").write_text(backend())
    with fake_aws() as aws:
        s3 = client("s3", aws, REGION)
        here = {"LocationConstraint": REGION}
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=here)
        program = terraform.within(aws)
        # Its question is answered with yes; the double has no host for each bucket.
        options = ("-force-copy", "-backend-config=use_path_style=true")
        moved = program(tmp_path, "init", "-migrate-state", *options)
        assert moved.returncode == 0, moved.stderr

        kept = s3.get_object(Bucket=BUCKET, Key="orderapp/terraform.tfstate")
        assert json.load(kept["Body"])["outputs"] == STATE["outputs"]
        assert kept["ServerSideEncryption"] == "AES256"
        assert program(tmp_path, "output", "-raw", "answer").stdout == "here"
        assert not (tmp_path / "terraform.tfstate").read_text()
