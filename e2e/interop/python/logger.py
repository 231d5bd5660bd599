"""Logs through the handlers of the Tinybird SDK for Python and prints what they were given, a JSON object a line.

usage: logger.py KIND URL TOKEN, where KIND is `direct` or `queue`.
"""

import json
import logging
import multiprocessing
import sys

from tb.logger import TinybirdLoggingHandler, TinybirdLoggingQueueHandler, log_record_to_dict

KIND, URL, TOKEN = sys.argv[1:4]


class Shown(logging.Handler):
    """Prints a record before the handler under test gets it."""

    def emit(self, record):
        print(json.dumps(log_record_to_dict(record)), flush=True)


def direct():
    handler = TinybirdLoggingHandler(TOKEN, URL, "shop")
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    return handler


def queue():
    return TinybirdLoggingQueueHandler(multiprocessing.Queue(-1), TOKEN, URL, "shop-queue", ds_name="tb_logs")


def talk(logger):
    logger.info("hello %s, %d", "wörld", 3, extra={"user_id": 7})
    logger.warning("by name: %(what)s", {"what": "a mapping"})
    try:
        raise ValueError("on purpose")
    except ValueError:
        logger.exception("it failed")
    logger.critical("where", stack_info=True)


logger = logging.getLogger("e2e.interop")
logger.setLevel(logging.DEBUG)
logger.propagate = False
handler = {"direct": direct, "queue": queue}[KIND]()
logger.addHandler(Shown())
logger.addHandler(handler)
talk(logger)
if KIND == "queue":
    # Puts its end behind everything and waits until it was worked off.
    handler.listener.stop()
