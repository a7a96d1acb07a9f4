"""The control plane over HTTP: the app, its handlers, the error envelope, long poll."""
