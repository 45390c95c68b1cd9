"""A running service to injure, the counts of injuries, and the ledger of the results.

`pytest.mark.promise(number, name)` says what a file proves. `pytest.mark.faults(small=1, full=20)` says how often a
test injects its fault: few times with the other tests, in full with FAULTS=full in the environment. `on` names the
set-ups that the test runs on, `small_on` those of the small count. By default both are all set-ups.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.faults.extent import FULL, SETUPS
from tests.faults.ledger import Ledger, Promise
from tests.faults.servers import PostgreSQL, Redis, postgresql
from tests.faults.stack import Stack

LEDGER = pytest.StashKey[Ledger]()
BOOK: dict[Promise, Ledger] = {}


def pytest_configure(config: pytest.Config) -> None:
    del config
    BOOK.clear()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test of the suite runs once on each of its set-ups."""
    mark = metafunc.definition.get_closest_marker("faults")
    assert mark is not None, f"{metafunc.definition.nodeid} does not say how often"
    setups = mark.kwargs.get("on", SETUPS)
    if not FULL:
        setups = mark.kwargs.get("small_on", setups)
    metafunc.fixturenames.insert(0, "setup")
    metafunc.parametrize("setup", setups, indirect=True, scope="session")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """A violation fails the test at its end, once all have been counted."""
    try:
        yield
    except pytest.skip.Exception:  # pytest skips by an exception; a test that was not run broke no promise
        raise
    except BaseException as error:
        item.stash[LEDGER].violation(f"the test broke off: {type(error).__name__}")
        raise
    if violations := item.stash[LEDGER].violations:
        pytest.fail(f"{len(violations)} violations:\n" + "\n".join(violations[:20]), pytrace=False)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if BOOK:
        terminalreporter.section(f"promises, {'full' if FULL else 'small'} count: faults | outcomes | violations")
    for promise, ledger in sorted(BOOK.items(), key=lambda pair: pair[0]):
        terminalreporter.line(f"{promise.number:>2} {promise.name}, {promise.database}: {ledger}")


@pytest.fixture(scope="session")
def setup(request: pytest.FixtureRequest) -> str:
    """Return the database that the service runs on, beside Redis."""
    name: str = request.param
    return name


@pytest.fixture
def count(request: pytest.FixtureRequest) -> int:
    mark = request.node.get_closest_marker("faults")
    number: int = mark.kwargs["full" if FULL else "small"]
    return number


@pytest.fixture(autouse=True)
def ledger(request: pytest.FixtureRequest, setup: str) -> Iterator[Ledger]:
    request.node.stash[LEDGER] = noted = Ledger()
    yield noted
    mark = request.node.get_closest_marker("promise")
    number, name = mark.args
    BOOK.setdefault(Promise(number, name, database=setup), Ledger()).add(noted)


@pytest.fixture(scope="session")
def start_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Stack]]:
    """Start a service on a set-up, with workers and settings as `Stack` takes them; all end with the session.

    Services on PostgreSQL share a server that no other test uses. It ends after them.
    """
    with contextlib.ExitStack() as ends:
        servers: list[PostgreSQL] = []

        def start(setup: str, **options: Any) -> Stack:
            folder = tmp_path_factory.mktemp("stack")
            if setup == "PostgreSQL" and not servers:
                servers.append(ends.enter_context(postgresql()))
            postgres = servers[0] if setup == "PostgreSQL" else None
            redis = Redis(folder)
            ends.callback(redis.kill)
            stack = Stack(folder, redis=redis, postgres=postgres, **options)
            ends.callback(stack.close)
            return stack

        yield start


@pytest.fixture(scope="session")
def shared_stack(setup: str, start_stack: Callable[..., Stack]) -> Stack:
    return start_stack(setup)


@pytest.fixture
def stack(shared_stack: Stack) -> Iterator[Stack]:
    """Return one service for all tests of a set-up, whole at each test's start and without a job left over."""
    shared_stack.mend()
    yield shared_stack
    shared_stack.mend()
    shared_stack.settle()


@pytest.fixture(scope="session")
def shared_impatient_stack(setup: str, start_stack: Callable[..., Stack]) -> Stack:
    return start_stack(setup, settings={"SADDLE_BACKOFF_SECONDS": "0"})


@pytest.fixture
def impatient_stack(shared_impatient_stack: Stack) -> Iterator[Stack]:
    """Return a service that tries a job again at once."""
    shared_impatient_stack.mend()
    yield shared_impatient_stack
    shared_impatient_stack.mend()
    shared_impatient_stack.settle()
