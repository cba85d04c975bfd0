"""The server: HTTP, WebSocket and the pages, over views of a space."""
