"""Notifies front ends that a model's alias moved."""

import json
import logging

from redis import Redis

from worker.protocol import ANNOUNCEMENTS
from worker.redis_client import AWAY

log = logging.getLogger(__name__)


def announce(redis: Redis, model: str) -> bool:
    """Publish that a model's alias moved; return whether that was possible."""
    try:
        redis.publish(ANNOUNCEMENTS, json.dumps({"model": model}))
    except AWAY as err:  # costs seconds: front ends also poll the store
        log.warning("Could not announce the new version of %s: %s", model, err)
        return False
    return True
