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

"""Whatever Glance refuses for its format fails here, and ruins no record."""

import itertools
import os
import struct

from keystoneauth1 import exceptions

from osc_glance_replicate.sandbox import client
from osc_glance_replicate.tests.functional import base
from osc_glance_replicate.tests.functional import dumps

_SIZE = 256 * 1024


def _padded(data):
    return data.ljust(_SIZE, b'\0')


def _qcow2(backing=b'', features=0):
    """Make the header of a QCOW2 file of version 3."""
    return _padded(
        struct.pack(
            '>4sIQIIQIIQQIIQQQQII',
            b'QFI\xfb', 3, 104 if backing else 0, len(backing), 16, 1 << 20,
            0, 1, 65536, 131072, 1, 0, 0, features, 0, 0, 4, 104,
        )
        + backing
    )  # fmt: skip


def _vmdk(kind, footer=True, size=_SIZE):
    """Make a VMDK file of one kind, with its descriptor."""
    descriptor = f'# Disk DescriptorFile\nversion=1\ncreateType="{kind}"\n'
    descriptor += 'RW 2048 SPARSE "disk.vmdk"\n'
    streams = kind == 'streamOptimized'

    def header_of(directory):
        return struct.pack(
            '<4sIIQQQQIQQQ',
            b'KDMV', 3, 3, 2048, 128, 1, 20, 512, 21, directory, 0,
        )  # fmt: skip

    # "At the end", says the header of what is streamed, where the footer is.
    header = header_of(2**64 - 1 if streams else 22)
    data = header.ljust(512, b'\0') + descriptor.encode().ljust(20 * 512)
    if not streams:
        return _padded(data)
    end = header_of(22) if footer else b'bad'
    marker = struct.pack('<QII', 1, 0, 3).ljust(512, b'\0')
    tail = marker + end.ljust(512, b'\0') + bytes(512)
    return data.ljust(size - len(tail), b'\0') + tail


def _disk(entry=0xEE, gpt=True):
    """Make a disk with a partition table."""
    partition = struct.pack('<B3sB3sII', 0, b'\0\2\0', entry, b'', 1, 511)
    mbr = bytes(446) + partition + bytes(48) + b'\x55\xaa'
    return _padded(mbr + (b'EFI PART' if gpt else b''))


def _iso(start=b''):
    return _padded(start.ljust(32768, b'\0') + b'\x01CD001\x01')


#: What random bytes may be.
MARKED = _padded(b'\7' * 510 + b'\x55\xaa')

DATA = {
    'random': client.as_raw(os.urandom(_SIZE)),
    'mark of a disk alone': MARKED,
    'the same without it': client.as_raw(MARKED),
    'nothing': b'',
    'little': b'x',
    'qcow2': _qcow2(),
    'qcow2 with a backing file': _qcow2(b'/etc/passwd'),
    'qcow2 with a data file': _qcow2(features=4),
    'vmdk': _vmdk('monolithicSparse'),
    'vmdk of many files': _vmdk('twoGbMaxExtentSparse'),
    'stream-optimized vmdk': _vmdk('streamOptimized'),
    # Only the end of it tells.
    'stream-optimized vmdk, bad footer': _vmdk(
        'streamOptimized', footer=False, size=2 * 1024 * 1024
    ),
    'gpt': _disk(),
    'gpt without its protection': _disk(entry=0),
    'mbr': _disk(entry=0x83, gpt=False),
    'iso': _iso(),
    'iso that boots as a disk': _iso(_disk()[:32768]),
    'vhd': _padded(b'conectix'),
    'vdi': _padded(bytes(64) + struct.pack('<I', 0xBEDA107F)),
    'luks': _padded(b'LUKS\xba\xbe\x00\x01'),
}

LABELS = ('raw', 'qcow2', 'vmdk', 'iso', 'vhd', 'aki')


class TestFormats(base.FunctionalTest):
    def setUp(self):
        super().setUp()
        #: Image ID → data and disk format, and whether Glance takes it.
        self.images = {}
        for what, label in itertools.product(DATA, LABELS):
            image = self.slave.create(None, disk_format=label)
            takes = self._takes(image.id, DATA[what])
            # What is in a container is not looked at.
            mislabelled = self.master.create(
                DATA[what],
                name=what,
                container_format='ovf',
                disk_format=label,
            )
            self.images[mislabelled.id] = what, label, takes
        self.slave.wipe()
        self.master.sql("UPDATE images SET container_format = 'bare'")

    def _takes(self, image_id, data):
        try:
            self.slave.upload(image_id, data)
        except exceptions.HttpError:
            return False
        return True

    def test_glance_and_the_plugin_agree(self):
        results = self.livecopy(expect=1).results
        ours = {
            (what, label): results[image_id] == 'copied'
            for image_id, (what, label, _) in self.images.items()
        }
        theirs = {
            (what, label): takes for what, label, takes in self.images.values()
        }
        self.assertEqual(theirs, ours)
        self.assertIn(False, theirs.values())
        # Else the random data of tests would be refused now and then.
        self.assertFalse(theirs['mark of a disk alone', 'raw'])
        self.assertTrue(theirs['the same without it', 'raw'])
        self._assert_nothing_is_ruined()
        self._assert_mended_records_arrive()

    def _assert_nothing_is_ruined(self):
        """What did not arrive has no data and no hash."""
        there = self.slave.ids()
        begun = {what for i, (what, _, takes) in self.images.items()
                 if i in there and not takes}  # fmt: skip
        self.assertEqual({'stream-optimized vmdk, bad footer'}, begun)
        for image_id, (what, label, takes) in self.images.items():
            if takes or image_id not in there:
                continue
            record = self.slave.get(image_id)
            self.assertEqual('queued', record.status, (what, label))
            self.assertEqual({}, record.digests, (what, label))

    def _assert_mended_records_arrive(self):
        harmless = {
            what
            for what, label, takes in self.images.values()
            if label == 'raw' and takes
        }
        mended = [
            image_id
            for image_id, (what, _, takes) in self.images.items()
            if not takes and what in harmless
        ]
        self.master.sql(
            "UPDATE images SET disk_format = 'raw' WHERE id = ANY(%s)", mended
        )
        results = self.livecopy(expect=1).results
        self.assertEqual({'copied'}, {results[i] for i in mended})


class TestOtherName(dumps.DumpTest):
    """A disk format has another name at the destination, if it is the same."""

    alone = False

    def setUp(self):
        super().setUp()
        self.images = {
            'gpt': self._create('gpt', DATA['gpt']),
            'mbr': self._create('gpt', DATA['mbr']),
            'iso': self._create('iso', DATA['iso']),
            'for load': self._create('gpt', DATA['gpt'] + b'x'),
            'not gpt': self._create('gpt', b'data'),
            'nothing': self._create('gpt', b''),
            'qcow2': self._create('qcow2', DATA['qcow2']),
            'in a container': self._create('gpt', b'data', 'ovf'),
            # Only the end of it tells.
            'vmdk': self._create(
                'vmdk', _vmdk('streamOptimized', size=2 * base.MIB)
            ),
            'as it was': self._create('gpt', DATA['gpt']),
        }
        base.pass_a_second()
        there = self.images['as it was']
        self.slave.create(DATA['gpt'], id=there.id, name=there.name)
        self._label(self.slave, there, 'gpt', 'bare')

    def _create(self, label, data, container='bare'):
        """Make an image of a format that is not among this Glance's."""
        image = self.master.create(data, container_format='ovf')
        self._label(self.master, image, label, container)
        return self.master.get(image.id)

    def _label(self, cloud, image, label, container):
        cloud.sql(
            'UPDATE images SET disk_format = %s, container_format = %s '
            'WHERE id = %s',
            label, container, image.id,
        )  # fmt: skip

    def _by_name(self, found):
        names = {image.id: name for name, image in self.images.items()}
        return {names[image_id]: each for image_id, each in found.items()}

    def test_only_what_is_both_has_it(self):
        ids = [image.id for image in self.images.values()]
        later = self.images['for load'].id
        names = [
            option
            for old in ('gpt', 'iso', 'qcow2', 'vmdk')
            for option in ('--map-format', f'{old}=raw')
        ]
        sent = self.livecopy(
            *names, '--no-format-check', '--exclude', later, *ids, expect=1
        )
        wrong = {'not gpt', 'nothing', 'qcow2', 'in a container', 'vmdk'}
        expected = {
            **dict.fromkeys(wrong | {'as it was'}, 'failed'),
            **dict.fromkeys(('gpt', 'mbr', 'iso'), 'copied'),
            'for load': 'skipped',
        }
        self.assertEqual(expected, self._by_name(sent.results))
        reasons = self._by_name(self.reasons(sent))
        for name, words in {
            'not gpt': 'it is raw, and not both gpt and raw',
            'nothing': 'it is raw, and not both gpt and raw',
            'qcow2': 'it is qcow2, and not both qcow2 and raw',
            'vmdk': 'it is vmdk, and not both vmdk and raw',
            'in a container': 'what is in a container (ovf) is not looked at',
            'as it was': 'does not let disk_format be changed',
        }.items():
            self.assertIn(words, reasons[name])
        there = self.slave.ids()
        begun = {n for n in wrong if self.images[n].id in there}
        self.assertEqual({'vmdk'}, begun)
        self._assert_load_agrees(names, ids, expected)
        mended = self.livecopy(self.images['vmdk'].id)
        self.assertEqual({'vmdk': 'copied'}, self._by_name(mended.results))

    def _assert_load_agrees(self, names, ids, expected):
        self.dump(*ids)
        self.assertEqual('gpt', self.record(self.images['gpt'])['disk_format'])
        loaded = self.load(*names, '--show-all', *ids, expect=1)
        copied = dict.fromkeys(('gpt', 'mbr', 'iso'), 'unchanged')
        self.assertEqual(
            {**expected, **copied, 'for load': 'copied'},
            self._by_name(loaded.results),
        )
        for name in (*copied, 'for load'):
            replica = self.slave.get(self.images[name].id)
            self.assertEqual('raw', replica.record['disk_format'])
            self.assertEqual(self.images[name].digests, replica.digests)
        self.replicate(
            'compare', '--to', 'slave', *names,
            *(self.images[name].id for name in copied),
        )  # fmt: skip
