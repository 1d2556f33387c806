#!/usr/bin/env python3
"""Has the AWS CLI check the arguments of commands, without sending anything.

Reads a JSON list of command lines, and prints those that the AWS CLI does not take, each with the reason. `--generate-cli-skeleton
output` makes it check the arguments against the model of the service and print a sample of the response.
"""

import contextlib
import io
import json
import os
import shlex
import sys
import tempfile

import awscli.clidriver
from botocore.stub import Stubber

DOCUMENTS = ("policy.json", "trust.json", "preferences.json")


def main() -> None:
    lines = sorted(set(json.load(sys.stdin)))
    os.environ["AWS_DEFAULT_REGION"] = "us-east-1"
    # The sample of a response that the AWS CLI makes up is not always a valid one, and says nothing of the command.
    Stubber._validate_operation_response = lambda *_: None
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for document in DOCUMENTS:
            with open(document, "w", encoding="utf-8") as file:
                file.write("{}")
        for line in lines:
            words = shlex.split(line, comments=True)
            words = words[1 : words.index(">")] if ">" in words else words[1:]
            said = io.StringIO()
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                try:
                    # A driver of its own: one remembers how it generated the skeleton before.
                    code = awscli.clidriver.create_clidriver().main([*words, "--generate-cli-skeleton", "output"])
                except SystemExit as error:
                    code = error.code
            if code != 0:
                print(f"{line}: {said.getvalue().strip()}")


if __name__ == "__main__":
    main()
