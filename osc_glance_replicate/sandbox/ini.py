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

"""The files that oslo.config reads."""

from collections.abc import Mapping
import configparser
import pathlib


def write(
    path: pathlib.Path, options: Mapping[str, Mapping[str, str]]
) -> None:
    """Write a configuration file that only its owner can read.

    :param path: the file.
    :param options: section → option → value.
    """
    # [DEFAULT] is an ordinary section to oslo.config, and `%` is too.
    parser = configparser.ConfigParser(interpolation=None, default_section='')
    parser.read_dict(options)
    path.touch(mode=0o600)
    with path.open('w') as file:
        parser.write(file)
