"""The engines and runtimes of a worker, and the measurements of its machine."""

from __future__ import annotations

from collections.abc import Callable

from norn_tasks.adapters.docker import networks, runs_reach
from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.docker.disk import EngineDisks
from norn_tasks.adapters.docker.engine import DockerEngine
from norn_tasks.adapters.docker_cluster import addresses
from norn_tasks.adapters.incus.engine import IncusEngine
from norn_tasks.adapters.incus.runtime import IncusRuntime
from norn_tasks.adapters.kubernetes_jobs.engine import KubernetesJobs
from norn_tasks.adapters.kubernetes_jobs.runtime import KubernetesRuntime
from norn_tasks.adapters.nest.assembly import engine_with_nest, nest_or_none, two_roads
from norn_tasks.adapters.runtimes import runtimes
from norn_tasks.adapters.runtimes.docker import DockerRuntime
from norn_tasks.adapters.runtimes.noop import engines_instead_of, instead_of
from norn_tasks.domain.disk import Space
from norn_tasks.ports import Engine, FastRoad, Runtime
from norn_tasks.settings import Settings
from norn_tasks.store.database.session import Database
from norn_tasks.store.fleet import instance
from norn_tasks.wiring.images import registries
from norn_tasks.wiring.incus import incus_engine, incus_runtime
from norn_tasks.wiring.kubernetes import kube_api, site_of


def places(settings: Settings) -> tuple[dict[str, Engine], dict[str, Runtime]]:
    """Returns the engines and the runtimes of a worker, by name. The first engine is the one that has the images."""
    docker = DockerEngine(EngineClient(settings.engine_address, timeout=5))
    return engines_of(settings, docker), runtimes_of(settings, docker, tuple)


def engine_identity(settings: Settings) -> Callable[[], str]:
    """Returns a function that asks the engine with the images for its id."""
    engines, _ = places(settings)
    return next(iter(engines.values())).identity


def engines_of(settings: Settings, docker: DockerEngine) -> dict[str, Engine]:
    """Returns the engines of a worker, by name; the one that has the images is the first."""
    real: dict[str, Engine] = {docker.name: docker}
    if settings.nest == "auto":
        real[docker.name] = engine_with_nest(docker, settings.data_dir)
    if settings.incus_socket:
        real[IncusEngine.name] = incus_engine(settings, docker.instance)
    if settings.kube_namespace:
        real[KubernetesJobs.name] = KubernetesJobs(kube_api(settings), docker.instance)
    return engines_instead_of(real, wanted=settings.noop_runtime, test_build=settings.test_build)


def runtimes_of(settings: Settings, docker: DockerEngine, names: Callable[[], tuple[str, ...]]) -> dict[str, Runtime]:
    """Returns the runtimes of a worker, by name; `names` returns the internal host names of apps."""
    real = runtimes(docker, names)
    if settings.nest == "auto":
        real[DockerRuntime.name] = two_roads(docker, settings.data_dir, names)
    if settings.incus_socket:
        real[IncusRuntime.name] = incus_runtime(settings, docker)
    if settings.kube_namespace:
        jobs = KubernetesJobs(kube_api(settings), docker.instance)
        site, login = site_of(settings, docker.instance), registries(settings).login_of_nodes
        real[KubernetesRuntime.name] = KubernetesRuntime(jobs, site, login)
    return instead_of(real, wanted=settings.noop_runtime, test_build=settings.test_build)


def fast_road(settings: Settings, database: Database) -> FastRoad | None:
    """Returns the nest (the container in which crun starts runs) of this machine; None if runs do not use it. Raises
    DatabaseDown, EngineDown.
    """
    docker = DockerEngine(EngineClient(settings.engine_address), instance.name(database))
    return nest_or_none(docker, settings.data_dir, wanted=settings.nest == "auto")


def disks(settings: Settings) -> Callable[[], tuple[Space, ...]]:
    """Returns a function that measures how much space this worker's disks have; it raises EngineDown."""
    engine = EngineClient(settings.engine_address, timeout=5)
    return EngineDisks(engine, settings.data_dir / "work").look


def engine_memory(settings: Settings) -> Callable[[], int]:
    """Returns a function that asks how much memory the engine has for apps; it returns 0 if nothing runs on the
    engine.
    """
    if settings.engine_memory or (settings.noop_runtime and settings.test_build):
        return lambda: settings.engine_memory
    return EngineClient(settings.engine_address, timeout=5).memory_for_apps


def bridge_addresses(settings: Settings) -> tuple[str, ...]:
    """Returns the machine's addresses on the networks of replicas and of runs; creates a network that is missing."""
    engine = EngineClient(settings.engine_address, timeout=5)
    replicas = addresses.gateway(addresses.ensure(engine))
    runs = runs_reach.address_of(networks.ensure(engine, networks.RUNS, talk=False))
    return replicas, runs.partition("/")[0]
