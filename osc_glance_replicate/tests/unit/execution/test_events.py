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

import inspect

import testtools

from osc_glance_replicate import errors
from osc_glance_replicate.execution import events
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan
from osc_glance_replicate.tests.doubles import samples

ACTION = plan.Action(samples.image(), 'slave', plan.Verb.COPY)
HEARD = {
    'planned': ([ACTION],),
    'all_planned': (),
    'begun': (ACTION,),
    'checked': (ACTION, 3),
    'sent': (ACTION, 3),
    'arrived': (ACTION,),
    'retried': (ACTION, errors.TransientError('slave', 'busy')),
    'put_off': (ACTION,),
    'down': ('slave', 'slave is down'),
    'up': ('slave',),
    'ended': (outcomes.failed(ACTION, 'why'),),
}


class TestListeners(testtools.TestCase):
    def test_everything_is_passed_on_to_each(self):
        class Noting(events.Listener):
            def __init__(self):
                self.heard = {}

        def note(name):
            def noted(self, *args):
                self.heard[name] = args

            return noted

        for name in HEARD:
            setattr(Noting, name, note(name))
        listeners = [Noting(), Noting()]
        for name, args in HEARD.items():
            getattr(events.Listeners(listeners), name)(*args)
        self.assertEqual([HEARD, HEARD], [one.heard for one in listeners])

    def test_nothing_is_left_out(self):
        for kind in events.Listener, events.Listeners:
            methods = {
                name
                for name, _ in inspect.getmembers(kind, inspect.isfunction)
                if name[0] != '_'
            }
            self.assertEqual(set(HEARD), methods)
