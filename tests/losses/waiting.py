"""Two flags that a pack and a test share: the pack is being imported, and it may go on."""

import threading

reached = threading.Event()
go_on = threading.Event()
