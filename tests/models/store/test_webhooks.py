"""Tests of models.store.webhooks."""

from models.store.names import timestamp


def test_the_first_webhook_of_a_job_counts(store):
    store.webhooks.add("job-1", "https://one.example/")
    store.webhooks.add("job-1", "https://two.example/")
    (notice,) = store.webhooks.pending()
    assert notice.url == "https://one.example/"


def test_failures_are_counted_and_a_delivered_one_is_gone(store):
    store.webhooks.add("job-1", "https://one.example/")
    store.webhooks.failed(store.webhooks.get("job-1"), timestamp())
    assert store.webhooks.get("job-1").attempts == 1
    store.webhooks.remove("job-1")
    assert list(store.webhooks.pending()) == []
    assert store.webhooks.get("job-1") is None


def test_a_damaged_notice_does_not_hold_up_the_others(store):
    store.webhooks.add("job-1", "https://one.example/")
    store.webhooks.add("job-2", "https://two.example/")
    store.tree.write("webhooks/job-1.json", b'{"job": "job-1", "url": 7}')
    assert [notice.job for notice in store.webhooks.pending()] == ["job-2"]
    assert store.webhooks.get("job-1") is None
