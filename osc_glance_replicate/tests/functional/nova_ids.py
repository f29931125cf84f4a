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

"""Nova's own EC2 IDs of images, over a database with nova's own schema.

::

    python -m osc_glance_replicate.tests.functional.nova_ids URL

It says "ready", then answers each line that holds a UUID with the ID. Nova's
configuration is global: hence a process.
"""

import sys

from nova import conf
from nova import config
from nova import context
from nova.db.main import api
from nova.db import migration
from nova import objects
from nova.objects import ec2


def main() -> None:
    config.parse_args(
        ['nova'], default_config_files=[], configure_db=False, init_rpc=False
    )
    conf.CONF.set_override('connection', sys.argv[1], 'database')
    objects.register_all()
    api.configure(conf.CONF)
    migration.db_sync(database='main')
    print('ready', flush=True)
    for line in sys.stdin:
        admin = context.get_admin_context()
        print(ec2.glance_id_to_ec2_id(admin, line.strip()), flush=True)


if __name__ == '__main__':
    main()
