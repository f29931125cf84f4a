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

"""The projects of two clouds, some of the same names."""

from osc_glance_replicate.model import ownership


class Projects(ownership.Projects):
    def __init__(self, name, **known):
        self.name = name
        self._known = {k: ownership.Project(*v) for k, v in known.items()}

    def known(self):
        return self._known

    def is_owner(self, project):
        return project == '7'


MASTER = Projects('master', m1=('web', 'a'), m2=('web', 'b'), m3=('db', 'a'))

SLAVE = Projects('slave', s1=('web', 'a'), s2=('web', 'b'))

BY_NAME = ownership.ByName(MASTER, SLAVE)
