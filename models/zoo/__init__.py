"""The generators that come with the release, and how they are made.

The folders beside these modules are the generators themselves; `models.zoo.install`
puts them into a store.
"""
