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

"""The command line, as others may read it."""

from collections.abc import Sequence

from osc_glance_replicate import errors

#: Of openstack's own options that say who one is, those that are no secret.
_HARMLESS = ('--os-cloud', '--os-region-name')

#: Those that have no value.
_FLAGS = ('--os-beta-command',)


def shown(arguments: Sequence[str]) -> str:
    """Return a command line that can be pasted, without what is secret.

    :param arguments: of openstack
    """
    import shlex

    words = ['openstack']
    hidden = False
    for argument in arguments:
        option, equals, _ = argument.partition('=')
        if option.startswith('--os-') and option not in _HARMLESS:
            words.append(f'{option}=***' if equals else option)
            hidden = not equals and option not in _FLAGS
        elif hidden:
            words.append('***')
            hidden = False
        else:
            words.append(shlex.quote(errors.line(argument)))
    return ' '.join(words)
