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

# What the hidden parts of pages may use: see documents.py.

# create ID BYTES NAME [OPTION ...]: an image of the cloud $cloud, with data
# that is the same each time. Options are those of openstack image create.
cloud=master
create() {
    python "$ROOT/osc_glance_replicate/tests/functional/documents_create.py" \
        "$cloud" "$@"
}

# entry NAME CLOUD KEY=VALUE ...: another entry in clouds.yaml, which is that of
# CLOUD but for some keys; those of its auth are written auth.KEY.
entry() {
    python - "$@" <<'END'
import copy, os, sys, yaml

path = os.path.expanduser('~/.config/openstack/clouds.yaml')
with open(path) as file:
    config = yaml.safe_load(file)
name, cloud, *changes = sys.argv[1:]
new = config['clouds'][name] = copy.deepcopy(config['clouds'][cloud])
for change in changes:
    key, value = change.split('=', 1)
    part, _, key = key.rpartition('.')
    (new[part] if part else new)[key] = value
with open(path, 'w') as file:
    yaml.safe_dump(config, file)
END
}
