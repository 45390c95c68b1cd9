"""The packaging: images, compose file, lock and CI say what the code needs, and run nothing as root."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from store.settings import Settings

ROOT = Path(__file__).parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OWN = sorted(set(SERVICES) - {"postgres", "redis"})
PINNED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(\[[a-z,]+\])?==(?P<version>[A-Za-z0-9.!]+)$")

every_service = pytest.mark.parametrize("service", sorted(SERVICES))


def stages() -> dict[str, str]:
    """The Dockerfile's stages by name, each from its FROM line to the next."""
    parts = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[1:]
    return {part.splitlines()[0].split(" AS ")[1]: part for part in parts}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def locked() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    requirements = [line.split(" ;")[0].strip() for line in lines if line.strip() and not line.startswith("#")]
    matches = {line: PINNED.match(line) for line in requirements}
    assert all(matches.values()), [line for line, match in matches.items() if not match]
    return {normal(match["name"]): match["version"] for match in matches.values() if match}


# Compose


def test_compose_has_the_services_of_a_whole_installation() -> None:
    assert set(SERVICES) == {"postgres", "redis", "migrate", "api", "worker", "worker-gpu", "scheduler"}


@every_service
def test_service_is_confined(service: str) -> None:
    settings = SERVICES[service]
    assert settings["user"] not in {"", "0", "root", "0:0"}
    assert settings["read_only"] is True
    assert settings["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in settings["security_opt"]
    assert "privileged" not in settings
    assert any(mount.startswith("/tmp") for mount in settings["tmpfs"])


@every_service
def test_service_tells_its_health(service: str) -> None:
    health = SERVICES[service]["healthcheck"]
    # The migration ends by itself: the others wait for its exit status.
    assert health == {"disable": True} if service == "migrate" else health["test"][0] in {"CMD", "CMD-SHELL"}


def test_nothing_listens_beyond_loopback_by_default() -> None:
    published = {service: settings["ports"] for service, settings in SERVICES.items() if "ports" in settings}
    assert published == {"api": ["${SADDLE_PUBLISH:-127.0.0.1:8000}:8000"]}
    inside_only = [service for service, settings in SERVICES.items() if settings["networks"] == ["inside"]]
    assert sorted(inside_only) == sorted(set(SERVICES) - {"api"})
    assert COMPOSE["networks"]["inside"] == {"internal": True}


def test_no_secret_has_a_default() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    uses = re.findall(r"\$\{POSTGRES_PASSWORD[^}]*\}", text)
    assert len(uses) == 2
    assert all(use.startswith("${POSTGRES_PASSWORD:?") for use in uses)


@pytest.mark.parametrize("service", OWN)
def test_service_builds_a_stage_of_the_dockerfile(service: str) -> None:
    assert SERVICES[service]["build"]["target"] in stages()


@pytest.mark.parametrize("service", OWN)
def test_command_names_a_module_that_exists(service: str) -> None:
    command = SERVICES[service]["command"]
    match command:
        case ["python", "-m", module]:
            path = module
        case ["celery", "-A", target, "worker", *options]:
            path, attribute = target.split(":")
            assert attribute == "app"
            assert options[:2] == ["--concurrency", "1"]
        case _:
            assert command == ["alembic", "upgrade", "head"]
            path = "alembic.env"
    assert (ROOT / path.replace(".", "/")).with_suffix(".py").is_file()


@pytest.mark.parametrize("service", ["api", "scheduler", "worker", "worker-gpu"])
def test_service_waits_for_the_tables_and_shares_the_data(service: str) -> None:
    settings = SERVICES[service]
    assert settings["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert settings["depends_on"]["redis"] == {"condition": "service_healthy"}
    assert settings["volumes"] == ["data:/data"]
    assert settings["environment"]["SADDLE_DATA_DIR"] == "/data"
    assert settings["environment"]["SADDLE_DATABASE_URL"].startswith("postgresql+psycopg://")


def test_stopped_worker_has_time_for_a_checkpoint() -> None:
    settings = (ROOT / "store" / "settings.py").read_text(encoding="utf-8")
    needed = re.search(r"stop_grace_seconds: float = Field\(default=(\d+)", settings)
    assert needed
    for service in ("worker", "worker-gpu"):
        assert int(SERVICES[service]["stop_grace_period"].removesuffix("s")) > int(needed[1])


def test_gpu_worker_is_asked_for_by_a_profile() -> None:
    gpu = SERVICES["worker-gpu"]
    assert gpu["profiles"] == ["gpu"]
    devices = gpu["deploy"]["resources"]["reservations"]["devices"]
    assert devices == [{"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}]
    assert "profiles" not in SERVICES["worker"]


def test_redis_keeps_what_it_is_given() -> None:
    command = " ".join(SERVICES["redis"]["command"])
    assert "--maxmemory-policy noeviction" in command
    assert "--appendonly yes" in command


# Images


@pytest.mark.parametrize("worker", ["worker", "worker-cpu"])
def test_a_worker_can_compile(worker: str) -> None:
    assert stages()[worker].startswith("trainer AS ")
    assert " g++ " in stages()["trainer"]
    # Compiled kernels are loaded from /tmp.
    assert all(",exec" in SERVICES[service]["tmpfs"][0] for service in ("worker", "worker-gpu"))


def test_python_is_pinned_to_a_patch_release() -> None:
    assert re.match(r"python:3\.11\.\d+-slim-bookworm AS python\n", stages()["python"])
    bases = {part.split(" AS ")[0] for name, part in stages().items() if name != "python"}
    assert bases <= set(stages())


@pytest.mark.parametrize("target", ["api", "worker", "worker-cpu"])
def test_image_runs_a_command_of_its_own_without_root(target: str) -> None:
    stage = stages()[target]
    base = stage.split(" AS ")[0]
    assert base == ("application" if target == "api" else "trainer")
    assert stages()["trainer"].startswith("application AS")
    assert "USER" not in stage
    assert re.sub(r"\n+(#.*\n*)*$", "", stages()[base]).endswith("\nUSER 10001:10001")
    assert "HEALTHCHECK" in stage
    assert re.search(r"^CMD \[", stage, re.MULTILINE)


def test_only_the_gpu_worker_carries_cuda() -> None:
    assert "--from=packages-cuda" in stages()["worker"]
    assert "packages-cuda" not in stages()["api"] + stages()["worker-cpu"]
    assert "download.pytorch.org" not in stages()["packages-cuda"]


def test_what_is_copied_exists_and_is_let_through() -> None:
    sources = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    names = [name.rstrip("/") for line in sources for name in line.split()]
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(names) == allowed
    assert all((ROOT / name).exists() for name in names)


def test_image_holds_every_room_that_it_imports() -> None:
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"embedded", "tests", "benchmarks"}
    copied = set(re.findall(r"^COPY (\w+)/ \w+/$", stages()["application"], re.MULTILINE))
    assert copied == rooms | {"alembic"}


# Lock and CI


def test_lock_pins_every_line_for_every_machine() -> None:
    versions = locked()
    assert versions["torch"] == "2.13.0"  # PyPI's: the build for CUDA where there is CUDA


def test_lock_holds_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    asked = project["dependencies"] + extras["service"] + extras["dev"]
    names = {normal(re.split(r"[\[<>=]", requirement)[0]) for requirement in asked}
    assert names <= set(locked())


def test_ci_runs_what_developers_run() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    commands = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
    assert commands == ["make check", "make test"]
    assert workflow["permissions"] == {"contents": "read"}


# Documents


def test_operations_page_names_every_setting_with_its_default() -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(SADDLE_\w+)` \| (.*?) \|", page, re.MULTILINE))
    fields = {f"SADDLE_{name.upper()}": field.default for name, field in Settings.model_fields.items()}
    assert set(rows) == set(fields)
    described = {"SADDLE_DATABASE_URL", "SADDLE_REDIS_URL"}  # empty by default
    assert {name: rows[name] for name in rows if name not in described} == {
        name: f"`{default}`" for name, default in fields.items() if name not in described
    }


@pytest.mark.parametrize("page", sorted((ROOT / "docs").rglob("*.md")), ids=lambda page: page.name)
def test_links_between_documents_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert all((page.parent / target).exists() for target in targets), targets
