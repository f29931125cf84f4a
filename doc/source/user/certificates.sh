openssl req -x509 -newkey rsa:3072 -nodes -days 365 -subj /CN=dask-ca \
    -addext keyUsage=critical,keyCertSign -keyout ca.key -out ca.pem
openssl req -newkey rsa:3072 -nodes -subj /CN=dask \
    -keyout key.pem -out dask.csr
printf 'subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n' > dask.ext
openssl x509 -req -in dask.csr -CA ca.pem -CAkey ca.key -CAcreateserial \
    -extfile dask.ext -days 365 -out cert.pem
