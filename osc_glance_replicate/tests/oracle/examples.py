# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

"""How properties are tried with examples that nobody has thought of."""

import os

import hypothesis


def settings(examples):
    """Make it repeatable in CI; elsewhere, look further each time."""
    ci = bool(os.environ.get('CI'))
    phases = [hypothesis.Phase.explicit, hypothesis.Phase.generate]
    if not ci:
        phases.append(hypothesis.Phase.shrink)
    return hypothesis.settings(
        max_examples=examples,
        phases=phases,
        derandomize=ci,
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
