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

"""Whether data is of the format that its record says, judged as Glance does.

A Glance that finds it is not refuses the data, and can never take any for
that record again (see fact-poisoned-record). It judges by the same inspector
(see fact-format-inspection).
"""

import io
import logging

from oslo_utils.imageutils import format_inspector

from osc_glance_replicate.model import image_record

#: A kernel may look like a disk with a broken partition table.
_KERNELS = frozenset(('aki', 'ari'))

#: What tells how the blocks of a disk are used, each of which is where it is
#: on the disk: that is raw as well.
_BLOCKS = frozenset(('raw', 'gpt', 'iso'))

#: Formats that data can be found to be of.
KNOWN = frozenset(format_inspector.ALL_FORMATS)


# What is wrong is told of the image, rather than of "qcow2" as a warning.
logging.getLogger(format_inspector.__name__).setLevel(logging.CRITICAL)


class Inspection:
    """Data that is looked at as it passes.

    :param image: the record; only what is in no container is looked at
    :param renamed: what the destination is to call its format; the data has
        to be of both then
    """

    def __init__(self, image: image_record.Image, renamed: str = '') -> None:
        fields = image.portable
        self._recorded = fields['disk_format']
        self._format = renamed or self._recorded
        self._current = io.BytesIO()
        self._wrapper = format_inspector.InspectWrapper(self._current)
        self._decided = fields['container_format'] != 'bare'

    def feed(self, block: bytes) -> str:
        """Look at the next bytes.

        :returns: what is wrong, as soon as that is sure; else ''
        """
        if self._decided:
            return ''
        self._current.seek(0)
        self._current.truncate()
        self._current.write(block)
        self._current.seek(0)
        self._wrapper.read(len(block))
        return '' if self._wrapper.formats is None else self._judge()

    def finish(self) -> str:
        """Take note of the end.

        :returns: what is wrong, or ''
        """
        if self._decided:
            return ''
        self._wrapper.close()
        return self._judge()

    def _judge(self) -> str:
        self._decided = True
        if problem := self._misnamed():
            return problem
        try:
            found = self._found()
            name = str(found)
            unknown = self._format not in format_inspector.ALL_FORMATS
            if self._format not in (name, 'raw') and not (
                name == 'raw' and unknown
            ):
                return f'it is {name}, and disk_format is {self._format}'
            found.safety_check()
        except format_inspector.SafetyCheckFailed as exc:
            failed = set(exc.failures)
            if self._format in _KERNELS and name == 'gpt':
                failed.discard('mbr')
            words = '; '.join(
                f'{check} ({exc.failures[check]})' for check in sorted(failed)
            )
            return f'as {name} it is not safe: {words}' if failed else ''
        except Exception as exc:
            # Glance refuses what it cannot make sense of, however that shows.
            return f'its format cannot be told: {exc}'
        return ''

    def _misnamed(self) -> str:
        """Return why the data is not of both formats, or ''.

        Glance takes anything that is called raw.
        """
        if self._format == self._recorded:
            return ''
        names = {str(found) for found in self._wrapper.formats or ()}
        if names <= _BLOCKS:
            names.add('raw')
        if {self._recorded, self._format} <= names:
            return ''
        return (
            f'it is {", ".join(sorted(names))}, and not both '
            f'{self._recorded} and {self._format}'
        )

    def _found(self) -> format_inspector.FileInspector:
        matches = {str(found): found for found in self._wrapper.formats or ()}
        if matches.keys() == {'iso', 'gpt'} and self._format == 'iso':
            # A CD that can be booted as a disk, too.
            return matches['iso']
        if found := self._wrapper.format:
            return found
        raise ValueError('its end is missing')
