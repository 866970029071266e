"""A store of the tests' own: a server that speaks S3, whose requests are counted and which can be away."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import fsspec
from moto.server import ThreadedMotoServer

logging.getLogger("werkzeug").setLevel(logging.ERROR)


class S3Store:
    """An S3 server in a thread of this process; other processes reach it by the environment."""

    def __init__(self) -> None:
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        _, self.port = self._server.get_host_and_port()
        self.environment = {
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": "key-of-the-tests",
            "AWS_SECRET_ACCESS_KEY": "secret-of-the-tests",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def bucket(self) -> str:
        """A new bucket."""
        name = f"tests-{uuid.uuid4().hex[:12]}"
        fsspec.filesystem("s3", skip_instance_cache=True, use_listings_cache=False).mkdir(name)
        return name

    def contents(self, bucket: str) -> str:
        """Names and bytes of all objects in a bucket, as text."""
        files = fsspec.filesystem("s3", skip_instance_cache=True, use_listings_cache=False)
        return "\n".join(f"{name} {files.cat_file(name).decode('utf-8', 'replace')}" for name in files.find(bucket))

    def stop(self) -> None:
        self._server.stop()


@contextmanager
def s3_store() -> Iterator[S3Store]:
    """A running store, which the environment names."""
    store = S3Store()
    with mock.patch.dict(os.environ, store.environment):
        yield store
    store.stop()
