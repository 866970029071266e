"""Two test processes share two cores: one thread each, so that they do not fight for them."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
