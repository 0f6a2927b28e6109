"""Environment of every test, set before torch is imported: pytest's workers and the notebooks' kernels inherit it."""

import os

import pytest

# No test asks a model hub for anything; without this, a missing tokenizer costs a minute of retries.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"

# Two workers share the cores, each with a kernel beside it: more threads would only get in each other's way.
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

# A backend chosen outside would keep the notebooks' figures from appearing in their cells.
os.environ.pop("MPLBACKEND", None)


@pytest.fixture(autouse=True)
def _examples_of_errors(request):
    """An example that shows what a function refuses is about the function's own error, not about its annotations."""
    examples = getattr(getattr(request.node, "dtest", None), "examples", [])
    if not any(example.exc_msg for example in examples):
        yield
        return
    import jaxtyping

    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", before)
