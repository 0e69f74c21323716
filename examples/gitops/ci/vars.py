"""usage: ci/vars.py NAME=VALUE … - prints variables in the form in which -e takes any text for what it is."""

from __future__ import annotations

import json
import sys

sys.stdout.write(json.dumps(dict(argument.split("=", 1) for argument in sys.argv[1:])))
