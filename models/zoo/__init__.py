"""The generators that come with the release, and how they are made.

The folders beside these modules hold them; `models.zoo.install` publishes them in a store.
"""
