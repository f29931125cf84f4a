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

import itertools

import testtools

from osc_glance_replicate.tests.doubles import samples
from osc_glance_replicate.transfer import format_inspection

#: The head of a qcow2 file: version 3, 64 KiB clusters, 1 MiB, nothing else.
QCOW2 = (
    b'QFI\xfb\x00\x00\x00\x03'
    + bytes(12)
    + b'\x00\x00\x00\x10'
    + b'\x00\x00\x00\x00\x00\x10\x00\x00'
)

SIZE = 256 * 1024


def disk(kind):
    """Make a disk with a table of one partition."""
    entry = bytes((0, 0, 2, 0, kind, 0, 0, 0, 1, 0, 0, 0, 255, 1, 0, 0))
    return bytes(446) + entry + bytes(48) + b'\x55\xaa'


GPT, MBR = disk(0xEE), disk(0x83)

#: What begins like a disk with a partition table, and has none.
FAT = bytes(16) + b'\2' + bytes(4) + b'\xf8' + bytes(488) + b'\x55\xaa'

CD = b'\x01CD001\x01'

_DISK = {('raw', 'gpt'), ('gpt', 'raw')}

#: By name: the beginning, and what may be called what there.
BEGINNINGS = {
    'nothing': (b'', set()),
    'random': (b'data', set()),
    'fat': (FAT, set()),
    'gpt': (GPT, _DISK),
    # To oslo.utils, and so to Glance, it is the same as a GPT.
    'mbr': (MBR, _DISK),
    'iso': (bytes(32768) + CD, {('raw', 'iso'), ('iso', 'raw')}),
    # Glance takes it as nothing else.
    'iso that boots as a disk': (
        GPT.ljust(32768, b'\0') + CD,
        {('raw', 'iso'), ('gpt', 'iso')},
    ),
    'qcow2': (QCOW2, set()),
    'vhd': (b'conectix', set()),
    'luks': (b'LUKS\xba\xbe\x00\x01', set()),
}


class TestInspection(testtools.TestCase):
    def problem(self, data, piece=512, renamed='', **fields):
        inspection = format_inspection.Inspection(
            samples.image(**fields), renamed
        )
        for start in range(0, len(data), piece):
            if problem := inspection.feed(data[start : start + piece]):
                return problem
        return inspection.finish()

    def test_data_of_the_format_that_is_recorded(self):
        for name, data in (
            ('raw', b'data'),
            ('raw', b''),
            # The inspector does not know it, and takes it for raw.
            ('ploop', b'data'),
            ('qcow2', QCOW2.ljust(4096, b'\0')),
        ):
            self.assertEqual('', self.problem(data, disk_format=name), name)

    def test_data_of_another_format(self):
        for piece in (3, 512, 10**6):
            self.assertEqual(
                'it is raw, and disk_format is qcow2',
                self.problem(bytes(4096), piece, disk_format='qcow2'),
            )
            told = self.problem(
                QCOW2.ljust(4096, b'\0'), piece, disk_format='vmdk'
            )
            self.assertEqual('it is qcow2, and disk_format is vmdk', told)

    def test_data_that_reads_other_files_is_not_safe(self):
        backed = bytearray(QCOW2.ljust(4096, b'\0'))
        backed[8:16] = (1024).to_bytes(8, 'big')
        backed[16:20] = (11).to_bytes(4, 'big')
        backed[1024:1035] = b'/etc/passwd'
        told = self.problem(bytes(backed), disk_format='qcow2')
        self.assertIn('as qcow2 it is not safe: backing_file', told)

    def test_format_that_is_to_have_another_name(self):
        formats = 'raw', 'gpt', 'iso', 'qcow2', 'vhd', 'luks'
        for what, (start, taken) in BEGINNINGS.items():
            data = start.ljust(SIZE, b'\0') if start else b''
            for old, new in itertools.permutations(formats, 2):
                told = self.problem(data, 65536, new, disk_format=old)
                self.assertEqual(
                    (old, new) in taken, not told, (what, old, new, told)
                )

    def test_what_is_not_of_both_formats_is_told(self):
        told = self.problem(
            QCOW2.ljust(SIZE, b'\0'), renamed='raw', disk_format='qcow2'
        )
        self.assertEqual('it is qcow2, and not both qcow2 and raw', told)
        unsafe = self.problem(
            disk(0).ljust(SIZE, b'\0'), renamed='raw', disk_format='gpt'
        )
        self.assertIn('as gpt it is not safe: mbr', unsafe)

    def test_what_is_in_a_container_is_not_looked_at(self):
        self.assertEqual(
            '',
            self.problem(b'data', disk_format='qcow2', container_format='ova'),
        )
