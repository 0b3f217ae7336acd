"""The volumes of apps on Kubernetes: PersistentVolumeClaims, which outlive every release."""

from __future__ import annotations

from collections.abc import Sequence

from norn_tasks.adapters.kubernetes import marks
from norn_tasks.adapters.kubernetes.api import Api
from norn_tasks.adapters.kubernetes.fencing import FencedWriter, Lease
from norn_tasks.adapters.kubernetes.objects.claim import claim, claim_name
from norn_tasks.adapters.kubernetes.site import Object, Site
from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.infraspec import Volume
from norn_tasks.ports import Mount, Watch

_KIND = "PersistentVolumeClaim"


class KubernetesVolumes:
    """Implements `ports.Volumes` with claims, for one job. The job creates and removes claims only while it has its
    lease.
    """

    def __init__(self, api: Api, site: Site, lease: Lease, watch: Watch) -> None:
        self._api = api
        self._site = site
        self._lease = lease
        self._watch = watch

    def ready(self, app: str, volumes: Sequence[Volume]) -> tuple[Mount, ...]:
        """Creates missing claims, and returns the mounts of all volumes; a claim that exists keeps its size and class.
        Raises InvalidRequest for a volume with a directory of a host.
        """
        return tuple(self._mount(app, volume) for volume in volumes)

    def of_app(self, app: str) -> tuple[str, ...]:
        """Returns the app's volumes by the names in its infraspec."""
        return tuple(sorted(marks.label_of(each, marks.VOLUME) for each in self._mine(app)))

    def remove(self, app: str) -> tuple[str, ...]:
        """Removes the app's claims, and returns the names of the volumes. The StorageClass decides whether the data is
        deleted too.
        """
        mine = self._mine(app)
        for each in mine:
            self._writer(app).remove(_KIND, each["metadata"]["name"])
        return tuple(sorted(marks.label_of(each, marks.VOLUME) for each in mine))

    def _mount(self, app: str, volume: Volume) -> Mount:
        if volume.host_path is not None:
            raise InvalidRequest(
                f"volumes.{volume.name}: {volume.host_path} is a directory of a host, and pods move between hosts",
                hint="leave hostPath out: the cluster then keeps the volume as a claim",
            )
        self._writer(app).make(claim(app, volume, self._site, self._watch.fence))
        return Mount(claim_name(app, volume.name), volume.mount_path)

    def _writer(self, app: str) -> FencedWriter:
        return FencedWriter(self._api, app, self._site.instance, self._lease, self._watch)

    def _mine(self, app: str) -> tuple[Object, ...]:
        found = self._api.all_of(_KIND, marks.selector(self._site.instance, app))
        return tuple(each for each in found if "deletionTimestamp" not in each["metadata"])
