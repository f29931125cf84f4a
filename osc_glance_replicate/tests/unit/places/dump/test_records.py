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

import bisect
import json
import tracemalloc

import fixtures
import testtools

from osc_glance_replicate.places.dump import records
from osc_glance_replicate.tests.doubles import samples

ID = samples.image().id

#: As glance-replicator wrote it.
V1 = {
    'id': ID,
    'name': 'debian',
    'status': 'active',
    'size': 4,
    'virtual_size': None,
    'disk_format': 'qcow2',
    'container_format': 'bare',
    'checksum': '8d777f385d3dfec8815d20f7496026dc',
    'owner': 'a project',
    'is_public': True,
    'protected': False,
    'min_disk': 1,
    'min_ram': 512,
    'deleted': False,
    'created_at': '2012-03-01T12:00:00.000000',
    'updated_at': '2012-03-02T12:00:00.000000',
    'deleted_at': None,
    'properties': {'os_distro': 'd\xe9bian', 'kernel_id': None},
}


def parse(record):
    return records.parse(json.dumps(record).encode(), ID)


class TestV2(testtools.TestCase):
    def test_record_comes_back_as_it_was(self):
        image = samples.image(
            name='a\nb\u202e\u5b57',
            tags=['b', 'a'],
            os_distro='064',
            stores='fast',
            kernel_id=None,
        )
        content = records.serialize(image)
        self.assertEqual(image, records.parse(content, image.id))
        self.assertTrue(content.endswith(b'}\n'))
        self.assertEqual(1, content.count(b'\n'))
        self.assertTrue(content.isascii())

    def test_same_record_is_the_same_bytes(self):
        image = samples.image()
        turned = samples.image()
        turned = type(turned)(dict(reversed(turned.record.items())))
        self.assertEqual(records.serialize(image), records.serialize(turned))

    def test_credentials_are_not_written(self):
        image = samples.image(
            direct_url='swift://user:key@host',
            locations=[{'url': 'swift://user:key@host'}],
        )
        content = records.serialize(image)
        self.assertNotIn(b'key', content)
        self.assertEqual(samples.image(), records.parse(content, ID))

    def test_properties_of_v1_are_nothing_special(self):
        """A record with a visibility is one of v2, whatever else it has."""
        image = samples.image(is_public='yes', properties='many')
        content = records.serialize(image)
        self.assertEqual(image, records.parse(content, ID))
        self.assertIsNone(image.defect)


class TestV1(testtools.TestCase):
    def test_it_becomes_a_record_of_v2(self):
        image = parse(V1)
        self.assertIsNone(image.defect)
        self.assertEqual(
            {
                'id': ID,
                'name': 'debian',
                'status': 'active',
                'size': 4,
                'disk_format': 'qcow2',
                'container_format': 'bare',
                'checksum': '8d777f385d3dfec8815d20f7496026dc',
                'owner': 'a project',
                'protected': False,
                'min_disk': 1,
                'min_ram': 512,
                'created_at': '2012-03-01T12:00:00.000000',
                'updated_at': '2012-03-02T12:00:00.000000',
                'visibility': 'public',
                # The kernel is null: it has none.
                'os_distro': 'd\xe9bian',
            },
            image.record,
        )
        self.assertEqual({'md5': V1['checksum']}, image.digests)
        self.assertEqual(2012, image.updated_at.year)

    def test_public_or_private(self):
        for is_public, visibility in ((True, 'public'), (False, 'private')):
            image = parse({**V1, 'is_public': is_public})
            self.assertEqual(visibility, image.portable['visibility'])

    def test_image_that_never_had_data(self):
        image = parse({**V1, 'status': 'queued', 'size': 0, 'checksum': None})
        self.assertIsNone(image.defect)
        self.assertEqual({}, image.digests)

    def test_fields_that_are_not_there_are_not_made_up(self):
        few = {'id': ID, 'status': 'active', 'size': 4, 'is_public': False}
        image = parse({**few, 'properties': {}})
        self.assertIsNone(image.defect)
        self.assertEqual(
            {'id', 'status', 'size', 'visibility'}, set(image.record)
        )

    def test_names_that_are_properties_no_more(self):
        for name in (
            'id',
            'visibility',
            'owner',
            'status',
            'size',
            'tags',
            'os_hidden',
            'os_hash_value',
            'locations',
            'direct_url',
            'os_glance_x',
            'deleted',
            'protected',
            'self',
        ):
            for value in ('public', None, True):
                image = parse({**V1, 'properties': {name: value}})
                self.assertIn(name, image.defect)
                self.assertEqual({'id': ID}, image.record)

    def test_odd_properties(self):
        for properties in (
            None,
            'x',
            5,
            [],
            [['a', 'b']],
            {'a': 5},
            {'a': {}},
            {'a': ['b']},
            {'a': True},
        ):
            image = parse({**V1, 'properties': properties})
            self.assertIn('propert', image.defect)
        without = {k: v for k, v in V1.items() if k != 'properties'}
        self.assertIn('properties', parse(without).defect)

    def test_record_of_both_versions(self):
        image = parse({**V1, 'visibility': 'private'})
        self.assertIn('is_public', image.defect)

    def test_odd_is_public(self):
        for value in (1, 'yes', None, []):
            self.assertIsNotNone(parse({**V1, 'is_public': value}).defect)


class TestBadRecords(testtools.TestCase):
    def flaw(self, content):
        image = records.parse(content, ID)
        self.assertEqual(ID, image.id)
        self.assertIsNotNone(image.defect, content[:80])
        return image.defect

    def record(self, **fields):
        return {**samples.image().record, **fields}

    def test_what_is_no_json(self):
        good = json.dumps(self.record()).encode()
        for content in (
            b'',
            b' ',
            b'\x00' * 100,
            b'\xff\xfe',
            b'\xef\xbb\xbf',
            good[:-1],
            good + b'x',
            good + good,
            good.replace(b'image 1', b'image \xff'),
            good.replace(b'image 1', b'image \n'),
            good.replace(b'image 1', b'image \\ud8'),
            good.replace(b'"', b"'"),
        ):
            self.assertIn('JSON', self.flaw(content))

    def test_numbers_that_json_has_not(self):
        for value in ('NaN', 'Infinity', '-Infinity'):
            for field in ('size', 'virtual_size', 'x'):
                record = json.dumps(self.record(**{field: 'HERE'}))
                content = record.replace('"HERE"', value).encode()
                self.assertIn(value, self.flaw(content))

    def test_numbers_out_of_all_bounds(self):
        for value in ('1' * 5000, '-' + '1' * 5000, '1e999', '-1e999', '1.5'):
            for field in ('size', 'min_disk', 'x'):
                record = json.dumps(self.record(**{field: 'HERE'}))
                self.flaw(record.replace('"HERE"', value).encode())

    def test_nesting_without_end(self):
        for depth in (10**5, 10**6):
            for opened, closed in (('[', ']'), ('{"x":', '}')):
                for nested in (
                    opened * depth,
                    opened * depth + '1' + closed * depth,
                    '{"id": ' + opened * depth + '1' + closed * depth + '}',
                ):
                    self.flaw(nested.encode())

    def test_nesting_that_is_just_read(self):
        """What is deep enough to break whoever looks at it later."""

        def is_too_deep(depth):
            try:
                json.loads('[' * depth + ']' * depth)
            except RecursionError:
                return True
            return False

        # That of [] is 1.
        limit = bisect.bisect_left(range(10**5), True, 2, key=is_too_deep)
        for field in ('id', 'name', 'size', 'x', 'tags'):
            record = json.dumps(self.record(**{field: 'HERE'}))
            # Python 3.14 reads what is so deep that each takes half a second.
            step = 1 if limit < 10_000 else 5
            for depth in (2, *range(limit - 30, limit + 5, step)):
                nested = '[' * depth + ']' * depth
                self.flaw(record.replace('"HERE"', nested).encode())

    def test_key_that_is_there_twice(self):
        good = json.dumps(self.record())
        for more in ('"id": "x"', '"name": "image 1"', '"a": {"b":1,"b":1}'):
            self.assertIn(
                'twice', self.flaw(f'{good[:-1]}, {more}}}'.encode())
            )

    def test_what_is_no_object(self):
        for record in ([], [self.record()], ID, 5, None, True, [[]]):
            self.assertIn('object', self.flaw(json.dumps(record).encode()))

    def test_record_of_another_image(self):
        for other in (
            samples.image(2).id,
            f'{ID} ',
            f'../{ID}',
            ID.replace('-', ''),
            None,
            5,
            [ID],
            {ID: ID},
            'x' * 10**6,
            '\ud800',
        ):
            flaw = self.flaw(json.dumps(self.record(id=other)).encode())
            self.assertLess(len(flaw), 100)
        self.flaw(b'{}')

    def test_case_of_the_id_matters(self):
        lower = samples.image(0xABC)
        content = records.serialize(lower)
        self.assertIsNone(records.parse(content, lower.id).defect)
        self.assertIsNotNone(records.parse(content, lower.id.upper()).defect)

    def test_odd_types(self):
        for field, value in (
            ('status', None),
            ('status', 5),
            ('size', '4'),
            ('size', -1),
            ('size', True),
            ('name', ['x']),
            ('tags', 'x'),
            ('tags', [1]),
            ('tags', [[]]),
            ('visibility', 'secret'),
            ('visibility', []),
            ('protected', 'no'),
            ('checksum', 5),
            ('os_hash_algo', {}),
            ('os_hash_value', []),
            ('x', {}),
            ('x', 5),
        ):
            self.assertIn(
                field[:3],
                self.flaw(json.dumps(self.record(**{field: value})).encode()),
            )

    def test_half_a_character(self):
        """What no Glance takes and no terminal shows."""
        for field, value in (
            ('name', '\ud800'),
            ('name', 'a\udcffb'),
            ('os_distro', '\udfff'),
            ('\ud800', 'x'),
            ('tags', ['\ud800']),
            ('disk_format', '\ud800'),
        ):
            self.flaw(json.dumps(self.record(**{field: value})).encode())

    def test_other_unicode_encodings_are_no_harm(self):
        content = json.dumps(self.record()).encode('utf-16')
        self.assertIsNone(records.parse(content, ID).defect)

    def test_rubbish_is_neither_built_nor_kept(self):
        limit = f'{records.__name__}._MAX_PARTS'
        self.useFixture(fixtures.MonkeyPatch(limit, 1000))
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        good = json.dumps({**self.record(), **V1, 'visibility': 'private'})
        kept = []
        for field in 'x', 'id', 'tags', 'properties', 'locations':
            for part in '{}', '[]', '1.5', '"ab"', '[{"a":[]}]':
                count = 1024 * 1024 // (len(part) + 1)
                text = ','.join([part] * count)
                content = f'{{"{field}": [{text}], {good[1:]}'.encode()
                del text
                tracemalloc.reset_peak()
                kept.append(records.parse(content, ID))
                peak = tracemalloc.get_traced_memory()[1]
                self.assertIn('parts of JSON', kept[-1].defect)
                self.assertLess(peak, 3 * len(content))
                del content
        self.assertLess(tracemalloc.get_traced_memory()[0], 1024 * 1024)

    def test_nothing_long_is_kept_of_a_bad_record(self):
        for bad in {'x': 5}, {'tags': [5]}, {'status': None}:
            record = self.record(name='n', y='y' * 10**6, **bad)
            image = parse(record)
            self.assertEqual(
                {'id': ID, 'name': 'n', 'size': record['size']}, image.record
            )

    def test_as_many_fields_as_a_record_may_have(self):
        fields = {f'property{n}': 'x' for n in range(9000)}
        image = parse({**self.record(), **fields, 'tags': ['t'] * 9000})
        self.assertIsNone(image.defect)


class TestTorn(testtools.TestCase):
    """What a tool leaves that is ended while it writes a record."""

    def test_beginning_of_one(self):
        whole = json.dumps({**V1, 'name': 'd\xe9bian', 'tags': [True, None]})
        for end in range(len(whole)):
            self.assertTrue(records.is_torn(whole[:end].encode()), end)
            zeros = bytes(len(whole) - end)
            self.assertTrue(records.is_torn(whole[:end].encode() + zeros))

    def test_what_is_something_else(self):
        for content in (
            json.dumps(V1).encode(),
            b'{"id": "x"}\n#',
            b'{1,2,3 and so on',
            b'QFI\xfb' + bytes(100),
            b'[1, 2',
            b'hello',
            bytes(10**6),
            b'[' * 10**6,
            b'{"a":' * 10**5 + b'x',
        ):
            self.assertFalse(records.is_torn(content), content[:40])
