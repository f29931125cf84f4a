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

"""Texts that a cloud or a file supplied, as people are shown them.

They are printable, and no longer than somebody may want to read: one row
would else widen all others, and a terminal be busy for minutes.
"""

from osc_glance_replicate import errors

#: Characters of a name, or of a value among others: what Glance allows for a
#: name (see fact-text-limits), so that those of real images stay whole.
_SHORT = 255


def name(text: object) -> str:
    """Return a name or an ID; a long one ends with how long it is."""
    return _shown(str(text), _SHORT)


def value(content: object) -> str:
    """Return a value as Python would write it, likewise."""
    return _shown(repr(content), _SHORT)


def text(words: object) -> str:
    """Return a reason, an error or the like; a very long one is cut, too."""
    return _shown(str(words), errors.MOST)


def _shown(words: str, most: int) -> str:
    return errors.printable(errors.shortened(words, most))
