"""Tells every front end that a model's alias moved."""

import json
import logging

from redis import Redis
from redis.exceptions import RedisError

from worker.protocol import ANNOUNCEMENTS

log = logging.getLogger(__name__)


def announce(redis: Redis, model: str) -> bool:
    """Publish that a model's alias moved.

    Args:
        redis: Where front ends subscribe.
        model: The model's name.

    Returns:
        Whether it was sent. A lost message costs seconds, for front ends also poll the store.
    """
    try:
        redis.publish(ANNOUNCEMENTS, json.dumps({"model": model}))
    except (RedisError, OSError) as err:
        log.warning("Could not announce the new version of %s: %s", model, err)
        return False
    return True
