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

"""What the program says of an image is in the table of Reasons.

Functional tests hold those that they see against it, too.
"""

import ast
import json
import pathlib

import testtools

from osc_glance_replicate.tests.oracle import reasons

_PACKAGE = pathlib.Path(__file__).parents[2]

#: Where Reasons come from.
_ROOMS = (
    'cluster',
    'engine',
    'execution',
    'model',
    'places',
    'planning',
    'transfer',
    'retry.py',
)

#: What makes a Reason of its arguments, and errors that are told as one.
_MAKERS = {'with_verb', 'Outcome', 'failed', 'only_losing', 'Flaw', 'flawed'}

#: What ends a command, or a cloud; an image has no row of it.
_ENDS = {'CloudError', 'LostError', 'UsageError', 'SelectionError'}

#: What nobody sees: it would be unexpected.
_DEFECTS = {'NotImplementedError', 'RuntimeError', 'TimeoutError'}

#: What is told in other words, or is of no image.
_INWARD = {
    'no job or destination: X',
    'nothing is read there',
    'nothing there is of another',
    'its end is missing',
}


def _made(tree):
    """Yield what is given to the makers of Reasons, as a text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, 'attr', getattr(node.func, 'id', ''))
            is_error = name.endswith('Error') and name not in (
                _ENDS | _DEFECTS
            )
            if name in _MAKERS or is_error:
                for argument in node.args:
                    # The rest comes from somewhere else.
                    text = _text(argument)
                    if len(text.replace('X', '').strip(' ;:')) > 12:
                        yield node.lineno, text


def _text(node):
    """Return a text, with X for what is put in; '' for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return ''.join(
            part.value if isinstance(part, ast.Constant) else 'X'
            for part in node.values
        )
    return ''


class TestReasons(testtools.TestCase):
    def test_each_is_on_the_page(self):
        lost = []
        seen = 0
        for room in _ROOMS:
            path = _PACKAGE / room
            for file in sorted(path.rglob('*.py')) or [path]:
                for line, text in _made(ast.parse(file.read_text())):
                    seen += 1
                    if not reasons.is_known(text) and text not in _INWARD:
                        lost.append(f'{file.name}:{line}: {text}')
        self.assertEqual([], lost)
        self.assertGreater(seen, 100)

    def test_a_pattern_says_something(self):
        """Else any Reason would be known by it."""
        for pattern in reasons.patterns():
            words = pattern.replace('...', ' ').strip(' ,:;')
            if ' ' in pattern:
                self.assertGreater(len(words), 5, pattern)

    def test_none_is_there_twice(self):
        found = reasons.patterns()
        self.assertEqual(len(set(found)), len(found), sorted(found))

    def test_what_is_not_there(self):
        for reason in (
            'its disk is on fire', 'gone: 5 x', 'is X, or Y', 'unknown',
            'destroyed', 'fire, water', 'the host name is wrong',
            'its owner is angry', 'slave: frobnicated, not yet',
            'quota: fewer than 5 bytes', 'the flux is missing today',
        ):  # fmt: skip
            self.assertFalse(reasons.is_known(reason), reason)
        for reason in 'north: HTTP 503: busy', '':
            self.assertTrue(reasons.is_known(reason), reason)
        self.assertTrue(reasons.is_known('name, os_distro', 'updated'))
        self.assertFalse(reasons.is_known('name, os_distro', 'failed'))

    def test_rows_of_a_command(self):
        for told in '', 'no JSON', '0', '{}', '[]', '[{"ID": "x"}]':
            self.assertEqual([], reasons.unknown(told))
        rows = [
            {'Result': 'failed', 'Reason': 'its disk is on fire'},
            {'Result': 'failed', 'Reason': 'slave: HTTP 503: busy'},
            {'Result': 'copied', 'Reason': ''},
        ]
        self.assertEqual(
            ['its disk is on fire'], reasons.unknown(json.dumps(rows))
        )
