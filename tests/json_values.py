"""What a damaged or hostile JSON file may hold."""

from hypothesis import strategies as st

# Lone surrogates are valid in a JSON file, but cannot be sent or written as UTF-8.
TEXT = st.text(st.characters(), max_size=8) | st.just("\ud800")

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
