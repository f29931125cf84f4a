import hashlib
import sys
import uuid


def ec2_digits(image_id):
    raw = uuid.UUID(image_id).bytes
    return hashlib.sha256(b'ec2-image-id:v1:' + raw).hexdigest()[:17]


def short_ec2_digits(image_id):
    return f'{int(ec2_digits(image_id)[:8], 16) & 0x3FFFFFFF:08x}'


for image_id in sys.argv[1:]:
    print(image_id, ec2_digits(image_id), short_ec2_digits(image_id))
