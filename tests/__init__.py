from tests import checker  # noqa: F401 - so that "tests.checker.checker" is found where tests are asked for alone
