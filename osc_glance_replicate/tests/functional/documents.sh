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
# that is the same each time, or a queued record where BYTES is -. Options are those of openstack image create.
cloud=master
create() {
    python "$ROOT/osc_glance_replicate/tests/functional/documents_create.py" \
        "$cloud" "$@"
}

# entry NEW OLD [KEY=VALUE ...]: another entry of clouds.yaml, like an old one
# but for these; KEY= leaves out.
entry() {
    python -P - "$HOME/.config/openstack/clouds.yaml" "$@" << 'END'
import sys, yaml

path, new, old, *settings = sys.argv[1:]
with open(path) as file:
    clouds = yaml.safe_load(file)
added = clouds['clouds'][new] = dict(clouds['clouds'][old])
for key, _, value in (setting.partition('=') for setting in settings):
    if key in added['auth']:
        added['auth'] = {**added['auth'], key: value}
    elif value:
        added[key] = value
    else:
        del added[key]
with open(path, 'w') as file:
    yaml.safe_dump(clouds, file)
END
}

# openrc CLOUD: an entry of clouds.yaml as a file to source.
openrc() {
    python -P - "$HOME/.config/openstack/clouds.yaml" "$1" << 'END'
import shlex, sys, yaml

with open(sys.argv[1]) as file:
    entry = yaml.safe_load(file)['clouds'][sys.argv[2]]
for key, value in entry['auth'].items():
    print(f'export OS_{key.upper()}={shlex.quote(value)}')
END
}

# stored CLOUD ID: the file in which a cloud's Glance keeps an image.
stored() {
    find "$SANDBOX/clouds/$1" -path "*/fast/$2"
}

# damage FILE: change its last byte, to none that create makes.
damage() {
    truncate -s -1 "$1" && printf '\0' >> "$1"
}

# cron PAGE [TEXT]: do what the crontab lines of a page (with a text in them)
# do, as cron would.
cron() {
    local bin=$(command -v openstack)
    env -i HOME="$HOME" LOGNAME=root SHELL=/bin/sh PYTHONPATH="$PYTHONPATH" \
        PATH="${bin%/*}:/usr/local/sbin:/usr/bin:/bin" \
        sh -c "$(sed -En 's/^ +([0-9*]+ ){5}//p' "$ROOT/$1" | grep -e "${2:-}")"
}

# dumped DIRECTORY ID BYTES NAME [1]: an image in a dump directory, as create
# makes it; with a 1 as glance-replicator dumped it.
dumped() {
    mkdir -p "$1"
    yes "$4" | head -c "$3" > "$1/$2.img"
    python -P - "$@" << 'END'
import hashlib, json, pathlib, sys

directory, image_id, size, name, *version = sys.argv[1:]
record = pathlib.Path(directory, image_id)
data = record.with_suffix('.img').read_bytes()
fields = {
    'id': image_id, 'name': name, 'status': 'active', 'size': int(size),
    'disk_format': 'raw', 'container_format': 'bare', 'protected': False,
    'min_disk': 0, 'min_ram': 0, 'checksum': hashlib.md5(data).hexdigest(),
}
if version:
    fields |= {'is_public': True, 'deleted': False, 'properties': {}}
else:
    sha512 = hashlib.sha512(data).hexdigest()
    fields |= {
        'visibility': 'private', 'tags': [], 'os_hidden': False,
        'os_hash_algo': 'sha512', 'os_hash_value': sha512,
    }
    with record.with_name('SHA512SUMS').open('a') as file:
        file.write(f'{sha512}  {image_id}.img\n')
record.write_text(json.dumps(fields))
END
}
