"""Buckets of apps on one object store. Each app has a user, which may only use the objects in the app's own buckets.

A bucket has a tag with the name of its user, so that Norn never uses a bucket that it did not create.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import unquote_plus
from xml.sax.saxutils import escape

from norn_tasks.adapters.services.storage.requests import REGION, ObjectStore, StoreRefused, texts
from norn_tasks.adapters.services.storage.signing import AccessKey
from norn_tasks.domain.errors import ServiceTaken
from norn_tasks.domain.secret import Secret

_POLICY = "norn"
_TAG = "norn"
_OF_OBJECTS = ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload")
_XMLNS = "http://s3.amazonaws.com/doc/2006-03-01/"


def require(url: str) -> None:
    """Raises ServiceDown if the store does not answer, StepFailed if it refuses the key."""
    with ObjectStore(url) as store:
        store.iam("ListUsers", MaxItems="1")


def keep_key(url: str, user: str, known: AccessKey | None, present: AccessKey | None) -> AccessKey:
    """Returns the `known` key of a user if the store still has it; otherwise makes a new key, whose secret the store
    itself chooses, and returns it.

    Before a new key is made, the user's old keys, left behind by workers that died, are removed. The key `present`
    stays valid, because containers use it.
    """
    with ObjectStore(url) as store:
        with _fine("EntityAlreadyExists"):
            store.iam("CreateUser", UserName=user)
        there = _keys(store, user)
        if known is not None and known.id in there:
            return known
        _remove_keys(store, user, keep=present.id if present is not None else "")
        made = store.iam("CreateAccessKey", UserName=user)
        return AccessKey(texts(made, "AccessKeyId")[0], Secret(texts(made, "SecretAccessKey")[0]))


def make(url: str, user: str, key: AccessKey, buckets: tuple[str, ...]) -> None:
    """Creates missing buckets, and lets the user work in them with this key only."""
    with ObjectStore(url) as store:
        for bucket in buckets:
            _bucket(store, user, bucket)
        store.iam("PutUserPolicy", UserName=user, PolicyName=_POLICY, PolicyDocument=_policy(buckets))
        _remove_keys(store, user, keep=key.id)


def remove(url: str, user: str, buckets: tuple[str, ...], *, last: bool) -> None:
    """Removes the buckets of the user with all objects. `last`: the user has no other buckets, and is removed too."""
    with ObjectStore(url) as store:
        for bucket in buckets:
            if _owner(store, bucket) == user:
                _empty(store, bucket)
                with _fine("NoSuchBucket"):
                    store.s3("DELETE", bucket)
        if last:
            with _fine("NoSuchEntity"):
                _remove_keys(store, user, keep="")
                with _fine("NoSuchEntity"):
                    store.iam("DeleteUserPolicy", UserName=user, PolicyName=_POLICY)
                store.iam("DeleteUser", UserName=user)


@contextmanager
def _fine(reason: str) -> Iterator[None]:
    """Suppresses a refusal with this reason, which means that nothing is left to do."""
    try:
        yield
    except StoreRefused as error:
        if error.reason != reason:
            raise


def _bucket(store: ObjectStore, user: str, bucket: str) -> None:
    """Creates a bucket with the tag of its user. An empty bucket without a tag was left behind by a worker that died,
    so it is used. Raises ServiceTaken for any other bucket that exists.
    """
    owner = _owner(store, bucket)
    if owner == user:
        return
    if owner is None:
        place = f"<LocationConstraint>{escape(store.region)}</LocationConstraint>"
        body = f'<CreateBucketConfiguration xmlns="{_XMLNS}">{place}</CreateBucketConfiguration>'
        store.s3("PUT", bucket, body=body.encode() if store.region != REGION else b"")
    elif owner or texts(store.s3("GET", bucket, "list-type=2&max-keys=1"), "Key"):
        raise ServiceTaken(
            f"services.storage.bucket: {bucket} is there already and belongs to {owner or 'somebody else'}",
            hint="name another bucket; Norn uses only buckets that it created",
        )
    tag = f"<TagSet><Tag><Key>{_TAG}</Key><Value>{escape(user)}</Value></Tag></TagSet>"
    body = f'<Tagging xmlns="{_XMLNS}">{tag}</Tagging>'
    store.s3("PUT", bucket, "tagging=", body.encode(), _md5(body.encode()))


def _owner(store: ObjectStore, bucket: str) -> str | None:
    """Returns the user in the tag of a bucket; empty if it has no tag, "somebody else" if the store shows no tags, None
    if the bucket does not exist.
    """
    try:
        tags = store.s3("GET", bucket, "tagging=")
    except StoreRefused as error:
        if error.reason == "NoSuchBucket":
            return None
        if error.reason == "NoSuchTagSet":
            return ""
        if error.reason == "AccessDenied":
            return "somebody else"
        raise
    return dict(zip(texts(tags, "Key"), texts(tags, "Value"), strict=False)).get(_TAG, "")


def _empty(store: ObjectStore, bucket: str) -> None:
    """Deletes all objects; one request deletes all objects of one page of the list."""
    while keys := texts(store.s3("GET", bucket, "encoding-type=url&list-type=2"), "Key"):
        named = "".join(f"<Object><Key>{escape(unquote_plus(key))}</Key></Object>" for key in keys)
        body = f'<Delete xmlns="{_XMLNS}"><Quiet>true</Quiet>{named}</Delete>'.encode()
        failed = texts(store.s3("POST", bucket, "delete=", body, _md5(body)), "Code")
        if failed:
            raise StoreRefused(f"the object store for apps keeps objects of {bucket}: {failed[0]}", failed[0])


def _policy(buckets: tuple[str, ...]) -> str:
    """Returns the policy that lets a user list the buckets, and read, write and delete their objects."""
    arns = [f"arn:aws:s3:::{bucket}" for bucket in buckets]
    lists = {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": arns}
    objects = {"Effect": "Allow", "Action": list(_OF_OBJECTS), "Resource": [f"{arn}/*" for arn in arns]}
    return json.dumps({"Version": "2012-10-17", "Statement": [lists, objects]})


def _keys(store: ObjectStore, user: str) -> list[str]:
    return texts(store.iam("ListAccessKeys", UserName=user), "AccessKeyId")


def _remove_keys(store: ObjectStore, user: str, keep: str) -> None:
    for each in _keys(store, user):
        if each != keep:
            with _fine("NoSuchEntity"):
                store.iam("DeleteAccessKey", UserName=user, AccessKeyId=each)


def _md5(body: bytes) -> dict[str, str]:
    """Returns the checksum that S3 requires. It protects nothing."""
    return {"content-md5": base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()}
