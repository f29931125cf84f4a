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

"""No tenant gains by a run, whatever he does before, during or after it."""

import collections
import dataclasses
import threading
from unittest import mock
import urllib.parse

import fixtures
import hypothesis
from hypothesis import strategies
import requests

from osc_glance_replicate.commands import livecopy
from osc_glance_replicate.execution import planned
from osc_glance_replicate.tests.functional import base
from osc_glance_replicate.tests.functional import tenancy
from osc_glance_replicate.tests.oracle import examples

#: The sources, and the names of which replicas are marked to be ones.
_SOURCES = {'master': 'north', 'master:RegionTwo': 'west'}


@dataclasses.dataclass(frozen=True)
class Run:
    """A livecopy.

    :param images: what it names; nothing for all, or all of demo's
    :param during: what is done meanwhile, each before one of the requests
        that change the destination, by their number
    :param is_long: whether all that was planned is old when it is done
    """

    source: str
    images: tuple[str, ...]
    project: bool
    options: tuple[tuple[str, ...], ...]
    during: dict[int, tenancy.Act]
    is_long: bool

    @property
    def visibility(self):
        options = dict(option for option in self.options if len(option) == 2)
        return options.get('--visibility')

    def has(self, option):
        return (option,) in self.options


@dataclasses.dataclass(frozen=True)
class Story:
    """What happens: some acts, a run, and so on.

    :param images: what there is at first
    :param owner: whose the replicas are
    :param marked: whether they are marked; with several sources they are
    """

    owner: str
    marked: bool
    images: list[tenancy.Act]
    chapters: list[tuple[list[tenancy.Act], Run]]


def _optional(most, **fields):
    """Make a few of some fields."""
    keys = strategies.lists(
        strategies.sampled_from(sorted(fields)), max_size=most, unique=True
    )
    return keys.flatmap(
        lambda chosen: strategies.fixed_dictionaries(
            {key: fields[key] for key in sorted(chosen)}
        )
    )


_IDS = strategies.sampled_from(tenancy.IDS)
_PROPERTIES = {
    'kernel_id': _IDS,
    'ramdisk_id': _IDS,
    'os_command_line': strategies.just(''),
    'replica_of': strategies.sampled_from(sorted(_SOURCES.values())),
    'cinder_encryption_key_id': _IDS,
    'block_device_mapping': strategies.just('[]'),
    'os_hidden': strategies.booleans(),
    'protected': strategies.booleans(),
}
_ACTS = {
    'create': strategies.builds(
        lambda fields, more: {**fields, **more},
        strategies.fixed_dictionaries(
            {
                'clones': strategies.sampled_from((True, True, False)),
                'named': strategies.booleans(),
                'filled': strategies.sampled_from(
                    (True, True, True, 'staged', False)
                ),
                'visibility': strategies.sampled_from(tenancy.WIDTHS),
            }
        ),
        _optional(2, **_PROPERTIES),
    ),
    'change': _optional(
        2,
        name=strategies.just(''),
        visibility=strategies.sampled_from(tenancy.WIDTHS),
        **_PROPERTIES,
    ).filter(bool),
    'show': strategies.builds(
        lambda member: {'member': member},
        strategies.sampled_from(tenancy.ACTORS[1:]),
    ),
    'unhash': strategies.builds(
        lambda md5: {'md5': md5}, strategies.booleans()
    ),
    **dict.fromkeys(
        ('deactivate', 'reactivate', 'delete'), strategies.just({})
    ),
}

#: So often, at random; what is there is changed rather than made.
_OFTEN = ('create',) * 5 + ('change',) * 3 + ('deactivate',) * 2


def _acts(clouds, actors=tenancy.ACTORS):
    what = strategies.sampled_from([*_OFTEN, *_ACTS])
    return what.flatmap(
        lambda what: strategies.builds(
            tenancy.Act,
            actor=strategies.sampled_from(actors),
            cloud=strategies.sampled_from(clouds),
            what=strategies.just(what),
            image_id=_IDS,
            values=_ACTS[what],
        )
    )


@strategies.composite
def _runs(draw, sources, clouds):
    images = draw(strategies.lists(_IDS, max_size=2, unique=True))
    options = draw(
        strategies.lists(
            strategies.sampled_from(
                [
                    ('--exact',),
                    ('--metadata-only',),
                    ('--dry-run',),
                    ('--members',),
                    ('--include-hidden',),
                    ('--method', 'import'),
                    ('--visibility', 'private'),
                    ('--visibility', 'community'),
                    ('--visibility', 'public'),
                    *(('--exclude', image_id) for image_id in tenancy.IDS),
                    *([('--adopt',)] if images else []),
                ]
            ),
            max_size=1,
            unique_by=lambda option: option[0],
        )
    )
    return Run(
        draw(strategies.sampled_from(sources)),
        tuple(images),
        not images and draw(strategies.booleans()),
        tuple(options),
        draw(
            strategies.dictionaries(
                strategies.integers(0, 2),
                _acts(clouds, tenancy.ACTORS[1:]),
                min_size=1,
                max_size=3,
            )
        ),
        draw(strategies.booleans()),
    )


@strategies.composite
def _withdrawals(draw, sources, clouds):
    """Make a chapter in which an image is withdrawn, whatever tenants do."""
    source = draw(strategies.sampled_from(sources))
    what, values = draw(
        strategies.sampled_from(
            [
                ('deactivate', {}),
                ('change', {'os_hidden': True}),
                ('change', {'visibility': 'private'}),
            ]
        )
    )
    act = tenancy.Act('', source, what, draw(_IDS), values)
    tenants = _acts(clouds, tenancy.ACTORS[1:])
    return (
        [act, *draw(strategies.lists(tenants, max_size=3))],
        dataclasses.replace(
            draw(_runs([source], clouds)),
            images=(),
            project=False,
            options=(),
        ),
    )


@strategies.composite
def _stories(draw):
    marked = draw(strategies.booleans())
    sources = list(_SOURCES) if marked else ['master']
    # What happens there makes a run do something.
    clouds = [*sources * 3, 'slave']
    acts = strategies.lists(_acts(clouds), max_size=4)
    images = [
        tenancy.Act(
            draw(strategies.sampled_from(tenancy.ACTORS)),
            draw(strategies.sampled_from([*sources, *sources, 'slave'])),
            'create',
            image_id,
            draw(_ACTS['create']),
        )
        for image_id in tenancy.IDS
    ]
    chapter = strategies.tuples(acts, _runs(sources, clouds))
    first = Run(sources[0], (), False, (), {}, False)
    return Story(
        draw(strategies.sampled_from(('mine', 'by-name'))),
        marked,
        images,
        [
            (draw(acts), first),
            *draw(strategies.lists(chapter, max_size=2)),
            draw(_withdrawals(sources, clouds)),
        ],
    )


def _made(actor, cloud, number, **values):
    values = {
        'clones': False,
        'named': True,
        'filled': True,
        'visibility': 'private',
        **values,
    }
    image_id = tenancy.IDS[number]
    return tenancy.Act(actor, cloud, 'create', image_id, values)


def _plain_run(*numbers):
    images = tuple(tenancy.IDS[number] for number in numbers)
    return Run('master', images, False, (), {}, False)


#: An image of demo's names a kernel that it may not see.
_KERNEL_OF_ANOTHER = Story(
    'mine',
    False,
    [
        _made('', 'master', 0),
        _made(
            'demo', 'master', 1, visibility='community',
            kernel_id=tenancy.IDS[0],
        ),
    ],
    [([], _plain_run(1))],
)  # fmt: skip

#: The right owner has made other data there, after the source.
_OTHER_DATA = Story(
    'by-name',
    False,
    [_made('demo', 'master', 0), _made('demo', 'slave', 0, named=False)],
    [
        (
            [
                tenancy.Act(
                    '', 'slave', 'unhash', tenancy.IDS[0], {'md5': False}
                )
            ],
            _plain_run(),
        )
    ],
)

#: A tenant has a record without data under an ID that is to be copied.
_RECORD_OF_ANOTHER = Story(
    'mine',
    False,
    [_made('', 'master', 0), _made('demo', 'slave', 0, filled=False)],
    [([], _plain_run())],
)

#: An own image goes to its source's owner.
_OWN_IMAGE = Story(
    'by-name',
    False,
    [
        _made('demo', 'master', 0),
        _made('', 'slave', 0, clones=True, os_command_line=''),
    ],
    [([], _plain_run())],
)


class TestTenancy(base.FunctionalTest):
    def setUp(self):
        super().setUp()
        region = self.cloud('master:RegionTwo')
        self.clouds = {c.name: c for c in (self.master, region, self.slave)}
        self.projects = {
            self.master.project_id(actor): self.slave.project_id(actor)
            for actor in tenancy.ACTORS
        }
        self.runner = self.slave.project_id()
        self.seen = collections.Counter()
        self._watch_requests()

    def test_no_tenant_gains_by_a_run(self):
        """Two tenants and an administrator act at random."""

        @examples.settings(base.often(40, 400))
        @hypothesis.example(_KERNEL_OF_ANOTHER)
        @hypothesis.example(_OTHER_DATA)
        @hypothesis.example(_RECORD_OF_ANOTHER)
        @hypothesis.example(_OWN_IMAGE)
        @hypothesis.given(_stories())
        def tell(story):
            self._tell_story(story)

        tell()
        # They were worth it.
        self.assertLessEqual(
            {
                'copied', 'updated', 'unchanged', 'skipped', 'conflict',
                'failed', 'during', 'left', 'withdrawn', 'given',
            },
            set(self.seen),
        )  # fmt: skip

    def _watch_requests(self):
        """Have something done right before a request of a run."""
        self.during = None
        self.quiet = threading.local()
        lock = threading.Lock()
        send = requests.Session.send
        glance = urllib.parse.urlsplit(
            self.slave.connections[''].image.get_endpoint()
        ).netloc

        def watch(session, request, **options):
            if (
                self.during
                and request.method != 'GET'
                and urllib.parse.urlsplit(request.url).netloc == glance
                and not getattr(self.quiet, 'is_acting', False)
            ):
                with lock:
                    self.during()
            return send(session, request, **options)

        self.useFixture(fixtures.MonkeyPatch('requests.Session.send', watch))

    def _tell_story(self, story):
        for cloud in self.clouds.values():
            cloud.wipe()
        self.story = story
        self.world = tenancy.World(self.clouds)
        #: Which run has made which image.
        self.ours = {}
        self._act(story.images)
        for acts, run in story.chapters:
            self._act(acts)
            self._run(run)

    def _act(self, acts):
        for act in acts:
            self.world.do(act)
            self.world.pass_time()

    def _run(self, run):
        self.run_now = run
        self.before = {name: self.world.look(name) for name in self.clouds}
        self.first = dict(self.before[run.source])
        self.touched = set()
        named = [i for i in run.images if i in self.before[run.source]]
        if run.images and not named:
            return
        # What is of the same owner goes as the image does.
        self.selected = self._with_needs(
            run, named, lambda image, needed: needed.owner == image.owner
        )
        self.allowed = self._with_needs(
            run, named, lambda image, needed: needed.may_read(image.owner)
        )
        if run.visibility in ('community', 'public'):
            for image in self.selected.values():
                for actor in tenancy.ACTORS[1:]:
                    self.world.told[actor] |= image.texts
        self.rows = []
        self.during = self._acts_during(run)
        age = 0.0 if run.is_long else 60.0
        try:
            with fixtures.MonkeyPatch(f'{planned.__name__}._MAX_AGE', age):
                self.rows = self._livecopy(run, named)
        finally:
            self.during = None
        self.after = {name: self.world.look(name) for name in self.clouds}
        self._judge()

    def _chosen(self, run, named):
        """Return the images that the administrator has chosen, by ID."""
        demo = self.master.project_id('demo')
        return {
            image_id: image
            for image_id, image in self.before[run.source].items()
            if (not named or image_id in named)
            and (not run.project or image.owner == demo)
        }

    def _with_needs(self, run, named, may_come):
        """Return what is chosen, and what comes along with it, by ID.

        :param may_come: told an image, and one that it needs
        """
        source = self.before[run.source]
        found = self._chosen(run, named)
        waiting = [*found.values()]
        while waiting:
            image = waiting.pop()
            for field in 'kernel_id', 'ramdisk_id':
                needed = source.get(image.properties.get(field))
                if (
                    needed
                    and needed.id not in found
                    and may_come(image, needed)
                ):
                    found[needed.id] = needed
                    waiting.append(needed)
        return found

    def _acts_during(self, run):
        numbers = iter(range(1000))

        def act():
            chosen = run.during.get(next(numbers))
            if not chosen:
                return
            self._assert_nobody_knows_more('while it runs')
            was = self.world.look(chosen.cloud).get(chosen.image_id)
            self.quiet.is_acting = True
            try:
                # What an administrator does himself meanwhile is his affair.
                self.world.do(chosen, for_others=False)
            finally:
                self.quiet.is_acting = False
            self._note(chosen, was)

        return act

    def _note(self, act, was):
        """Take what was done meanwhile for what was there before.

        :param was: what there was under this ID when it was done
        """
        now = self.world.look(act.cloud).get(act.image_id)
        if now == was:
            return
        self.seen['during'] += 1
        self.touched.add((act.cloud, act.image_id))
        known = self.before[act.cloud]
        if not now:
            known.pop(act.image_id, None)
        elif act.image_id in known or not was:
            known[act.image_id] = now

    def _livecopy(self, run, named):
        command = livecopy.LivecopyImages(mock.Mock(), None)
        words = [word for option in run.options for word in option]
        if self.story.marked:
            words += ['--mark', _SOURCES[run.source]]
        if run.project:
            words += ['--project', 'demo']
        words += ['--owner', self.story.owner, '--retries', '1']
        if run.during:
            words += ['--transfers', '1']
        args = command.get_parser('livecopy').parse_args(
            [*words, '--to', 'slave', *named]
        )
        connection = self.clouds[run.source].connections['']
        command.own_cloud = lambda: connection
        return list(command.engine(args).replicate())

    # What holds

    def _judge(self):
        run = self.run_now
        self.seen.update(str(row.result) for row in self.rows)
        for name in self.clouds.keys() - {'slave'}:
            self._assert_same(name, self.before[name], self.after[name])
        self._assert_nobody_knows_more('after it')
        before, after = self.before['slave'], self.after['slave']
        if run.has('--dry-run'):
            self._assert_same('slave', before, after)
            return
        for image_id in before.keys() - after.keys():
            self._fail(f'{image_id} is gone')
        for image_id, image in after.items():
            old = before.get(image_id)
            if old is None:
                self.ours[image_id] = run.source
            if old != image:
                self._judge_change(image_id, old, image)
            elif image_id in self.before[run.source]:
                self.seen['left'] += 1
            self._judge_withdrawal(image_id, old, image)
        self._judge_rows()

    def _judge_change(self, image_id, old, image):
        """A record was made or changed by a run: as its source is."""
        run = self.run_now
        sources = self._sources(image_id)
        if not sources:
            self._fail(f'{image_id} has no source')
        if old and image_id not in self.ours:
            self._judge_foreign(old, image, sources)
        if old and self.ours.get(image_id) not in (None, run.source):
            # The other source's, unless it is the tenant's own everywhere.
            if old.owner == self.runner and old.status == 'active':
                self._fail(f'{image_id} is a replica of the other source')
        width = _asked_width(run, image_id in self.selected)
        widest = max(width, *(source.width for source in sources))
        if image.width > max(widest, old.width if old else 0):
            self._fail(f'{image_id} is {image.visibility}')
        owners = {self.runner, *self._counterparts(sources)}
        if image.owner != (old and old.owner) and image.owner not in owners:
            self._fail(f'{image_id} is of {image.owner}')
        if image.owner != (old.owner if old else self.runner):
            self.seen['given'] += 1
        if not old and image_id not in self.allowed:
            self._fail(f'{image_id} is taken along')
        if not self.touched:
            self._judge_needs(old, image)
        self._judge_gift(image_id, old, image, sources)

    def _judge_gift(self, image_id, old, image, sources):
        """Who sees or has more than before gets what the source is."""
        if self._is_touched(image_id) or image.status != 'active':
            return
        (source,) = sources
        gains = (
            not old
            or image.owner != old.owner
            or (old.owner != self.runner and image.width > old.width)
        )
        if not gains:
            return
        if image.data != source.data:
            self._fail(f'{image_id} has other data')
        if (
            image.name != source.name
            or image.portable_properties != source.portable_properties
        ):
            self._fail(f'{image_id} is not as its source is: {image}')

    def _judge_needs(self, old, image):
        """What comes to boot from an image does so from the source's."""
        source = self.before[self.run_now.source]
        for field in 'kernel_id', 'ramdisk_id':
            needed = image.properties.get(field)
            if not needed or (
                old
                and old.properties.get(field) == needed
                and image.width <= old.width
                and image.owner == old.owner
            ):
                continue
            there = self.after['slave'].get(needed)
            if needed in source:
                good = there and there.data == source[needed].data
            else:
                good = there and there.owner == self.runner
            if not good:
                self._fail(f'{image.id} boots from {needed}, {there}')

    def _judge_foreign(self, old, image, sources):
        """Somebody else has made it: only what is right may be a replica."""
        run = self.run_now
        right = {self.runner, *self._counterparts(sources)}
        first = all(old.created_at < source.created_at for source in sources)
        mark = f'{_SOURCES[run.source]}/{image.id}'
        marked = (
            self.story.marked
            and old.owner == self.runner
            and old.properties.get('replica_of') == mark
        )
        adopted = run.has('--adopt') and image.id in run.images
        if not adopted and (old.owner not in right or (first and not marked)):
            self._fail(f'{image.id} was changed, and is not ours: {old}')
        is_less = (
            image.width <= old.width
            and image.owner == old.owner
            and (image.name, image.data) == (old.name, old.data)
        )
        if not is_less and image.data not in {s.data for s in sources}:
            self._fail(f'{image.id} was changed, and has other data: {old}')

    def _judge_withdrawal(self, image_id, old, image):
        """A replica is at least as hidden as its source is."""
        run = self.run_now
        source = self.before[run.source].get(image_id)
        covered = (
            not run.project
            and (not run.images or image_id in run.images)
            and ('--exclude', image_id) not in run.options
        )
        if (
            not old
            or not source
            or not covered
            or old.status != 'active'
            or self._is_touched(image_id)
            or self.ours.get(image_id) != run.source
        ):
            return
        gone = source.status == 'deactivated'
        if gone and image.status != 'deactivated':
            self._fail(f'{image_id} is still active')
        if source.os_hidden and not image.os_hidden:
            self._fail(f'{image_id} is not hidden')
        if not run.visibility and image.width > source.width:
            self._fail(f'{image_id} is still {image.visibility}')
        if gone or source.os_hidden or source.width < old.width:
            self.seen['withdrawn'] += 1

    def _judge_rows(self):
        """Who is told that a replica is there has one."""
        for row in self.rows:
            image_id = row.action.image.id
            image = self.after['slave'].get(image_id)
            source = self.before[self.run_now.source].get(image_id)
            if (
                str(row.result) in ('copied', 'updated', 'unchanged')
                and row.reason != 'verified by size only: no hash recorded'
                and not self._is_touched(image_id)
                and not (image and image.data == source.data)
            ):
                self._fail(f'{image_id} is {row.result}: {image}')

    def _sources(self, image_id):
        """Return an image as it was and as it is at the source."""
        name = self.run_now.source
        return {
            (image.name, image.visibility, image.owner): image
            for images in (self.first, self.before[name], self.after[name])
            if (image := images.get(image_id))
        }.values()

    def _counterparts(self, sources):
        if self.story.owner == 'mine':
            return set()
        return {self.projects[source.owner] for source in sources}

    def _is_touched(self, image_id):
        return any(touched == image_id for _, touched in self.touched)

    def _assert_nobody_knows_more(self, when):
        for image in self.world.look('slave').values():
            for actor in self.world.readers('slave', image):
                news = image.texts - self.world.told[actor]
                if news:
                    self._fail(f'{actor} knows {news} of {image} {when}')

    def _assert_same(self, name, before, after):
        if before != after:
            self._fail(f'{name} was changed: {before} {after}')

    def _fail(self, what):
        rows = [
            (row.action.image.id[-1], str(row.result), row.reason)
            for row in self.rows
        ]
        acts = '\n'.join(map(str, self.world.done))
        self.fail(
            f'{what}\nowner {self.story.owner}, marked {self.story.marked}\n'
            f'{acts}\n{self.run_now}\n{rows}\nbefore: '
            f'{self.before["slave"]}\nsource: '
            f'{self.before[self.run_now.source]}'
        )


def _asked_width(run, selected):
    """Return the visibility that a run asks for, of those of WIDTHS."""
    asked = run.visibility if selected else None
    return tenancy.WIDTHS.index(asked or 'private')
