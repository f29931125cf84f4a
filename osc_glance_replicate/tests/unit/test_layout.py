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

"""Each module has its test module, of the same name in the same place."""

import pathlib

import testtools

_UNIT = pathlib.Path(__file__).parent
_PACKAGE = _UNIT.parents[1]

#: The modules without one, and why.
WITHOUT = {
    'cluster/dask_crew': 'needs Dask: functional test_cluster',
    'cluster/scheduler': 'needs Dask: functional test_cluster',
    'cluster/worker': 'needs Dask: functional test_cluster',
    'execution/crew': 'only a protocol',
    'commands/copying': 'runs an engine: functional test_livecopy',
    'commands/dump': 'only options: functional test_dump',
    'commands/ec2ids': 'only options: functional test_ec2ids',
    'commands/load': 'only options: functional test_load',
    'commands/own_cloud': 'logs in: functional test_clouds',
    'commands/size': 'only options: functional test_selection',
    'commands/verify': 'only options: functional test_load',
}

#: The test modules in rooms that are about more than one module.
OTHERS = {
    'commands/test_commands',
    'engine/test_load_fuzz',
    'planning/test_plan_properties',
}


class TestLayout(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.modules = {
            path.relative_to(_PACKAGE).with_suffix('').as_posix()
            for path in _PACKAGE.rglob('*.py')
            if path.name != '__init__.py'
            and path.relative_to(_PACKAGE).parts[0] not in ('sandbox', 'tests')
        }
        tests = _UNIT.rglob('test_*.py')
        self.tests = {
            path.relative_to(_UNIT).with_suffix('').as_posix()
            for path in tests
        }

    def test_each_module_has_tests_or_a_reason(self):
        without = {
            module
            for module in self.modules
            if _test_of(module) not in self.tests
        }
        self.assertEqual(set(WITHOUT), without)

    def test_each_test_module_has_its_module(self):
        tested = {_test_of(module) for module in self.modules}
        in_rooms = {test for test in self.tests if '/' in test}
        self.assertEqual(OTHERS, in_rooms - tested)

    def test_tests_are_found(self):
        """stestr finds tests in packages only."""
        for test in self.tests:
            room = (_UNIT / test).parent
            self.assertTrue((room / '__init__.py').exists(), room)


def _test_of(module):
    """Return the place of the tests of a module."""
    room, _, name = module.rpartition('/')
    return f'{room}/test_{name}'.lstrip('/')
