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

"""A run that a Dask cluster carries out."""

import contextlib
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time

import distributed
import fixtures

from osc_glance_replicate.cluster import dask_crew
from osc_glance_replicate.cluster import messages
from osc_glance_replicate.cluster import worker
from osc_glance_replicate import errors
from osc_glance_replicate.model import options
from osc_glance_replicate.model import plan
from osc_glance_replicate.tests.functional import base
from osc_glance_replicate.tests.functional import cluster
from osc_glance_replicate.tests.functional import faults
from osc_glance_replicate.tests.functional import links
from osc_glance_replicate.tests.functional import test_unhashed

_DOC = pathlib.Path(__file__).parents[3] / 'doc' / 'source' / 'user'


class Recorder(base.Server):
    """A relay that keeps all that passes.

    :param target: host and port where it leads to
    """

    def __init__(self, target: str) -> None:
        host, _, port = target.partition(':')
        self._target = host, int(port)
        self.passed = bytearray()

    def take(self, call: socket.socket) -> None:
        there = socket.create_connection(self._target)
        for one, other in (call, there), (there, call):
            threading.Thread(
                target=self._relay, args=(one, other), daemon=True
            ).start()

    def _relay(self, one: socket.socket, other: socket.socket) -> None:
        # Processes that are killed reset what they had open.
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                self.passed += data
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)


class TestCluster(links.BrokenLinksTest):
    """The workers reach the clouds by links of their own."""

    alone = False

    def hire(self, *workers, **options):
        """Start a cluster.

        :param workers: what differs in the clouds.yaml of each of them
        """
        self.cluster = self.useFixture(
            cluster.Cluster(
                [self.clouds_yaml(**changes) for changes in workers],
                **options,
            )
        )
        self.addCleanup(self._assert_cluster_discreet, self.cluster)

    def _assert_cluster_discreet(self, hired):
        self.assertEqual(set(), base.secrets().found(hired.told))

    def scheduled(self, *arguments, **options):
        return self.livecopy(
            '--scheduler', self.cluster.address, *self.named(*arguments),
            **options,
        )  # fmt: skip

    def test_trouble_of_one_destination_is_its_own(self):
        """One cannot be used, one breaks down, and the third is served."""

        def entries():
            return {
                'master': links.behind(self.source),
                'slave': links.behind(self.destination),
                'dead': {
                    'auth': {
                        'auth_url': 'http://127.0.0.1:9/v3',
                        'username': 'x',
                        'password': 'x',
                        'project_name': 'x',
                    },
                },
            }

        self.environment = self.clouds_yaml(**entries())
        self.hire(entries(), entries())
        images = [
            self.image(1000, name=f'n{number}', tags=['fleet'])
            for number in range(12)
        ]
        # All but the listing, and the greetings before anything is copied.
        broken = faults.Fault(answer=faults.Answer(503))
        self.destination.on('.*', r'/images($|/(?!0{8}))', broken, times=None)
        self.destination.on(
            'GET', '/images/0{8}', broken, times=None,
            when=lambda call: bool(
                self.destination.seen('.*', r'/images($|/(?!0{8}))')
            ),
        )  # fmt: skip
        result = self.livecopy(
            '--scheduler', self.cluster.address, '--retries', '0',
            '--to', 'dead', '--to', 'secure', '--tag', 'fleet',
            expect=1,
            environment=self.environment,
        )  # fmt: skip
        ends = {'slave': [], 'secure': [], 'dead': []}
        for row in result.rows:
            ends[row['To']].append((row['ID'], row['Result'], row['Reason']))
        ((image_id, *dead),) = ends['dead']
        self.assertIsNone(image_id)
        self.assertEqual('failed', dead[0])
        self.assertIn('refuses connections', dead[1])
        self.assertEqual(['copied'] * 12, [end[1] for end in ends['secure']])
        secure = self.cloud('secure')
        for image in images:
            self.assertReplica(image, self.data[image.id], secure)
        self.assertEqual(['failed'] * 12, [end[1] for end in ends['slave']])
        self.assertIn('slave is down since', result.stderr)
        self.assertNotIn('secure is down', result.stderr)
        self.assertTrue(
            {end[2].partition(': ')[2] for end in ends['slave']}
            & {'not tried'},
            ends['slave'],
        )

    def test_slow_destination_keeps_others_from_nothing(self):
        """One that takes nothing would have all workers' threads."""
        self._assert_others_served('PUT', '/file$')

    def test_nor_does_one_that_says_nothing(self):
        # All but the greetings.
        self._assert_others_served('GET', '/images/(?!0{8})')

    def _assert_others_served(self, method, path):
        """Say that one that holds what it is asked holds nobody else."""
        behind = {
            'master': links.behind(self.source),
            'slave': links.behind(self.destination),
        }
        self.hire(behind)
        secure = self.cloud('secure')
        # What is named is asked for when it is planned.
        # Another test may do the same in the same clouds.
        tag = f'held {path}'
        images = [self.image(1000, tags=[tag]) for _ in range(5)]
        self.destination.on(
            method, path,
            faults.Fault(before=lambda call: self.held.wait()),
            times=None,
        )  # fmt: skip
        process = self.start(
            '--os-cloud', 'master', 'image', 'replicate', 'livecopy',
            '--scheduler', self.cluster.address, '--to', 'slave',
            '--to', 'secure', '--transfers', '2', '--tag', tag,
            '-f', 'json', environment=self.environment,
        )  # fmt: skip
        ids = {image.id for image in images}
        self.wait_for(lambda: ids <= self._active(secure))
        self.assertFalse(ids & self._active(self.slave))
        self.held.set()
        result = self.finish(process)
        self.assertEqual(
            ['copied'] * 10, [row['Result'] for row in result.rows]
        )
        for image in images:
            self.assertCopied(image)
            self.assertReplica(image, self.data[image.id], secure)

    def _active(self, cloud):
        rows = cloud.sql("SELECT id FROM images WHERE status = 'active'")
        return {str(image_id) for (image_id,) in rows}

    def test_as_from_threads(self):
        """Two destinations, a conflict, an update, an image that needs one."""
        secure = self.cloud('secure')
        behind = links.behind(self.source)
        self.hire({'master': behind}, {'master': behind})
        kernel = self.image(1000, name='kernel')
        needy = self.image(name='needy', kernel_id=kernel.id)
        test_unhashed.unhash(self.master, needy)
        changed = self.image(1000, name='changed')
        self.livecopy(changed.id)
        self.master.patch(changed.id, name='changed since')
        other = self.image(1000, name='other')
        self.slave.create(b'other data', id=other.id)
        base.pass_a_second()
        to = '--to', 'secure'
        result = self.scheduled(*to, expect=1)
        self.assertEqual(
            {
                (kernel.id, 'slave'): 'copied',
                (kernel.id, 'secure'): 'copied',
                (needy.id, 'slave'): 'copied',
                (needy.id, 'secure'): 'copied',
                (changed.id, 'slave'): 'updated',
                (changed.id, 'secure'): 'copied',
                (other.id, 'slave'): 'conflict',
                (other.id, 'secure'): 'copied',
            },
            {(row['ID'], row['To']): row['Result'] for row in result.rows},
        )
        self.assertIn('6 copied', result.stderr)
        self.assertEqual(
            {'the source recorded no hash'},
            {row['Reason'] for row in result.rows if row['ID'] == needy.id},
        )
        for image in kernel, needy:
            for cloud in self.slave, secure:
                self.assertReplica(image, self.data[image.id], cloud)
            # It was read once, for both, and by a worker.
            self.assertEqual(1, len(self.gets(image)))
        self.assertEqual(
            'changed since', self.slave.get(changed.id).record['name']
        )
        # The same again, and what is left to do is the conflict.
        again = self.scheduled(*to, expect=1)
        self.assertEqual({other.id: 'conflict'}, again.results)

    def test_worker_that_is_killed(self):
        """Its image is sent by another, from the start."""
        first, second = self.destination, self.proxy(self.slave)
        self.hire(
            *(
                {'master': links.behind(self.source),
                 'slave': links.behind(link)}
                for link in (first, second)
            )
        )  # fmt: skip
        images = [self.image(name=f'image {i}') for i in range(2)]
        self._hold_source(times=2)
        process = self.start_copy('--scheduler', self.cluster.address)
        doomed, *_ = self.wait_for(
            lambda: [
                number for number, link in enumerate((first, second))
                for call in link.seen('PUT', '/file$') if call.uploaded
            ]
        )  # fmt: skip
        link = (first, second)[doomed]
        path = link.seen('PUT', '/file$')[0].path
        image = next(image for image in images if image.id in path)
        self.wait_for(lambda: self.slave.get(image.id).status == 'saving')
        self.cluster.workers[doomed].kill()
        self.held.set()
        result = self.finish(process)
        self.assertEqual({i.id: 'copied' for i in images}, result.results)
        for one in images:
            self.assertCopied(one)
        # What the server says: one upload broke off, another came to its end.
        answers = self._uploads(image)
        self.assertEqual('204', answers[-1])
        self.assertEqual(2, len(answers), str(answers))
        self.assertNotEqual('204', answers[0])

    def _hold_source(self, times):
        stall = faults.Fault(download=self.hold(5 * base.MIB // 2))
        self.source.on('GET', '/file$', stall, times=times)

    def _uploads(self, image):
        """Give how Glance answered the uploads of an image."""
        log = self.slave.glance.log.read_text(errors='replace')
        return re.findall(
            rf'PUT /v2/images/{image.id}/file .*\(HTTP/1.1 (\d+)\)', log
        )

    def test_interrupted(self):
        self.hire(
            {
                'master': links.behind(self.source),
                'slave': links.behind(self.destination),
            }
        )
        image = self.image()
        self._hold_source(times=1)
        process = self.start_copy('--scheduler', self.cluster.address)
        self.await_upload(image)
        process.send_signal(signal.SIGINT)
        result = self.finish(process, expect=130)
        self.assertEqual({image.id: 'failed'}, result.results)
        self.assertIn('next run', result.rows[0]['Reason'])
        # The worker has let go of it as well.
        self.wait_for(lambda: self.slave.get(image.id).status == 'queued')
        self.assertNothingActive(image)
        self.assertEqual({image.id: 'copied'}, self.scheduled().results)
        self.assertCopied(image)

    def test_tasks_hold_no_secrets(self):
        self.hire({})
        target = self.cluster.address.removeprefix('tcp://')
        recorder = self.useFixture(Recorder(target))
        image = self.image(1000)
        self.cluster.address = f'tcp://{recorder.address}'
        self.assertEqual({image.id: 'copied'}, self.scheduled().results)
        passed = recorder.passed.decode('latin-1')
        # There was something to search.
        self.assertIn(image.id, passed)
        self.assertIn('slave', passed)
        self.assertEqual(set(), base.secrets().found(passed))
        self.assertNotIn(self.slave.glance.url, passed)

    def test_worker_that_cannot_do_it(self):
        """It has no such cloud, or another by that name."""
        demo = self.slave.connections['-demo'].config.config['auth']
        there = self.proxy(self.slave)
        bad = (
            ({'auth': {'password': 'x'}}, '401'),
            ({'auth': dict(demo)}, 'project'),
            ({'region_name': 'Elsewhere'}, 'Elsewhere'),
        )
        self.hire(*({'slave': change} for change, _ in bad))
        image = self.image(1000)
        result = self.scheduled(image.id, expect=1)
        # Each of them was asked, and said why not.
        told = result.stderr + result.stdout
        for word in (
            'worker tcp://127.0.0.1:',
            'slave',
            *dict(map(reversed, bad)),
        ):
            self.assertIn(word, told)
        self.assertEqual({image.id: 'failed'}, result.results)
        self.assertNotIn(image.id, self.slave.ids())
        # One that can do it does it all.
        self.cluster.hire(self.clouds_yaml(slave=links.behind(there)))
        images = [image, *(self.image(1000) for _ in range(5))]
        result = self.scheduled()
        self.assertEqual({i.id: 'copied' for i in images}, result.results)
        self.assertEqual(6, len(there.seen('PUT', '/file$')))
        self.assertEqual(4, len(result.stderr.splitlines()), result.stderr)

    def test_nobody_there(self):
        image = self.image(1000)
        address = f'tcp://{self.useFixture(base.Nobody()).address}'
        result = self.livecopy('--scheduler', address, image.id, expect=1)
        self.assertIn(address, result.stderr)
        self.assertEqual(1, len(result.stderr.splitlines()), result.stderr)
        self.assertNotIn(image.id, self.slave.ids())

    def test_scheduler_that_is_lost(self):
        self.hire({'slave': links.behind(self.destination)})
        for _ in range(8):
            self.image()
        self.destination.on(
            'PUT', '/file$', faults.Fault(upload=self.hold()), times=None
        )
        process = self.start_copy(
            '--scheduler', self.cluster.address, '--transfers', '2'
        )
        self.wait_for(lambda: self.destination.seen('PUT', '/file$'))
        self.cluster.scheduler.kill()
        self.held.set()
        # Those as well that were only asked for when it was gone.
        result = self.finish(process, expect=1)
        self.assertEqual(8, len(result.rows))
        for row in result.rows:
            self.assertEqual('failed', row['Result'])
            self.assertIn(self.cluster.address, row['Reason'])
            self.assertIn('lost', row['Reason'])
        self.assertEqual(1, len(result.stderr.splitlines()), result.stderr)

    def test_bandwidth_is_divided(self):
        behind = {'master': links.behind(self.source)}
        self.hire(behind, behind)
        begun = []
        self.source.on(
            'GET', '/file$',
            faults.Fault(before=lambda call: begun.append(time.monotonic())),
            times=None,
        )  # fmt: skip
        images = [self.image(base.MIB) for _ in range(4)]
        result = self.scheduled('--bandwidth', '1Mi')
        # All of it, less what a bucket holds at first.
        self.assertGreater(time.monotonic() - min(begun), 3.5)
        self.assertEqual({i.id: 'copied' for i in images}, result.results)

    def test_encrypted(self):
        """As doc/ shows it, over Dask's TLS; nobody else gets in."""
        environment = self._certificates()
        self.hire({}, environment=environment, protocol='tls')
        self.assertIn('tls://', self.cluster.address)
        image = self.image(1000)
        result = self.scheduled(image.id, environment=environment)
        self.assertEqual({image.id: 'copied'}, result.results)
        self.assertCopied(image)
        for stranger, word in (
            ({}, 'certificates are not configured'),
            (self._certificates(), 'certificate'),
        ):
            result = self.scheduled(expect=1, environment=stranger)
            self.assertEqual(1, len(result.stderr.splitlines()), result.stderr)
            self.assertIn(self.cluster.address, result.stderr)
            self.assertIn(word, result.stderr)
        plain = self.cluster.address.replace('tls', 'tcp')
        result = self.livecopy(
            '--scheduler',
            plain,
            image.id,
            expect=1,
            environment=environment,
        )
        self.assertIn('give tls://', result.stderr)

    def _certificates(self):
        """Do as doc/ says, and give what makes Dask use it."""
        directory = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        subprocess.run(
            ['sh', '-e', _DOC / 'certificates.sh'],
            cwd=directory,
            capture_output=True,
            check=True,
        )
        # As Python does from 3.13 on.
        subprocess.run(
            ['openssl', 'verify', '-x509_strict', '-CAfile', 'ca.pem',
             'cert.pem'],
            cwd=directory, capture_output=True, check=True,
        )  # fmt: skip
        configuration = (_DOC / 'distributed.yaml').read_text()
        self.assertIn('/etc/dask/tls', configuration)
        (directory / 'distributed.yaml').write_text(
            configuration.replace('/etc/dask/tls', str(directory))
        )
        return {'DASK_CONFIG': str(directory)}


class TestWorkers(base.FunctionalTest):
    """Those who come and go, seen from where the command runs."""

    alone = False

    def cluster(self, workers, rate=None):
        """Give a fixture, and our side of it."""
        self.useFixture(
            fixtures.MonkeyPatch(
                f'{dask_crew.__name__}._NO_WORKERS_TIMEOUT', 1.0
            )
        )
        hired = self.useFixture(cluster.Cluster([{}] * workers))
        request = options.Request(
            to=(options.To('slave'),),
            run=options.Run(retries=0, bandwidth=rate),
        )
        brief = messages.Brief(
            'a run', worker.version(), 'master', request, ()
        )
        crew = dask_crew.DaskCrew(hired.address, brief)
        self.addCleanup(crew.close)
        return hired, crew

    def test_none_at_first(self):
        error = self.assertRaises(
            errors.ReplicateError, self.cluster, workers=0
        )
        self.assertIn('has no workers', str(error))
        self.assertIn('dask worker tcp://127.0.0.1:', str(error))

    def test_none_at_last(self):
        hired, crew = self.cluster(workers=1)
        hired.workers[0].kill()
        action = plan.Action(self.master.create(), 'slave', plan.Verb.COPY)
        future = crew.carry_out(action)
        outcome = future.result(300)
        self.assertEqual('failed', outcome.result)
        self.assertIn('no worker was left', outcome.reason)

    def test_bandwidth_is_divided_anew(self):
        hired, crew = self.cluster(workers=1, rate=1000)
        self.assertEqual(1000, crew.share)
        hired.hire({})
        self.wait_for(lambda: self._rates(hired) == [500, 500])
        self.assertEqual(500, crew.share)
        # What a task says that was asked for before does not count.
        with distributed.Client(hired.address, set_as_default=False) as client:
            client.run(lambda: worker._part('a run', 1000) and 0)
        self.assertEqual([500, 500], self._rates(hired))

    def _rates(self, hired):
        """Give what each worker may read."""
        with distributed.Client(hired.address, set_as_default=False) as client:
            # As a lambda it is sent itself, and this module is not imported.
            found = client.run(lambda: worker._part('a run').rate)
        return list(found.values())
