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
# that is the same each time.
cloud=master
create() {
    (
        id=$1 size=$2 name=$3
        shift 3
        yes "$name" | head -c "$size" > "$HOME/.data"
        openstack --os-cloud "$cloud" image create --id "$id" \
            --file "$HOME/.data" --disk-format raw --container-format bare \
            "$@" "$name" > /dev/null
        rm "$HOME/.data"
    )
}
