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

"""What a child of the process that runs the tests does."""

from collections.abc import Callable
import os
import signal
import traceback

from osc_glance_replicate.tests.doubles import clocks


#: What a child ends with whose call raised something.
_FAILED = 255


def in_child(call: Callable[[], int]) -> int:
    """Call something in a child; return what it returns.

    :param call: returns a small number
    :raises RuntimeError: it raised something, or hangs
    """
    pid = os.fork()
    if not pid:
        code = _FAILED
        # It may hang for the very reason that is looked for.
        signal.alarm(int(clocks.PATIENCE))
        try:
            code = call()
        except BaseException:
            traceback.print_exc()
        finally:
            # Nothing else of what the parent has begun is to happen twice.
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code < 0 or code == _FAILED:
        raise RuntimeError(f'the child ended with {code}: see stderr')
    return code
