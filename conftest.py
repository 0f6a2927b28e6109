"""Environment of every test, set before torch is imported: pytest's workers and the notebooks' kernels inherit it."""

import os

# No test asks a model hub for anything; without this, a missing tokenizer costs a minute of retries.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"

# Two workers share the cores, each with a kernel beside it: more threads would only get in each other's way.
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

# A backend chosen outside would keep the notebooks' figures from appearing in their cells.
os.environ.pop("MPLBACKEND", None)
