"""The client side of the Bot.one platform: its two block methods and its dialog API.

| module | what it is |
|---|---|
| `wire` | POSTs bytes for `send_message` and `complete`: the hot path, a seam |
| `socket_wire` | the wire over its own HTTP/1.1 connections |
| `wire_connection`, `wire_pool` | one such connection; all of them, and their deadlines |
| `aiohttp_wire` | the wire over aiohttp, for proxies |
| `timed_wire` | a wire that measures another wire |
| `vertex` | `send_message` and `complete` (methods 14 and 15) |
| `client`, `sync` | `BotOne`, the client of the dialog API, and its blocking form |
| `instance_clients` | the `BotOne` of each instance, for `ctx.dialog` |
| `dialogs`, `pages`, `files`, `partial_file` | the methods of the dialog API (1 to 13) |
| `dialog_rows`, `arrow`, `data_frames` | dialogs as rows of a table: exports, data frames |
| `statuses` | the words for a dialog's status |
| `walk`, `page_reader`, `page_pass`, `list_rest` | all pages of a list that may change meanwhile |
| `dialog_requests` | how those are sent: authentication, retries, errors |
| `http_client` | the HTTP client for authors and for the dialog API; httpx |
| `headers` | the headers of every request to the platform |
| `retries` | whether and when a request is retried |
| `failures` | which error a response or an exception becomes |
| `hints` | what to check after an error |
| `limiter` | how many requests are in progress at the same time |
| `address`, `response`, `models`, `conversation_page`, `dates`, `blocking` | values, small tools |
"""
