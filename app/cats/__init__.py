"""Pictures of cats over HTTP: from a request to rendered, cached and wrapped bytes."""
