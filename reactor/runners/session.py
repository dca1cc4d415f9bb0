"""A session of Spark for a command: started, ended, and its failures in a line."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Final

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from reactor.errors import ReactorError

LOCAL: Final = "local[*,4]"  # every core; a task may fail three times
# Of a session on this machine: nobody else can reach it.
_PRIVATE: Final = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.ui.enabled": "false",
}
_RAISED: Final = re.compile(r"^reactor\.[\w.]+Error: (.+)$", re.MULTILINE)


@contextmanager
def session(master: str | None, settings: Mapping[str, str]) -> Iterator[SparkSession]:
    """Start Spark for a block; Spark that this process runs already is taken, and goes on.

    master: as Spark has it; None for that of the job this process was submitted as.
    settings: of Spark, in place of its own.
    Raises ReactorError if it can't start, and for what fails in the block on Spark's side.
    """
    problem = "Spark can't start: expected Java 17 or later, and a master that can be reached"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning, module="pyspark")
        is_ours = SparkSession.getActiveSession() is None
        spark = None
        with suppress(PySparkException, Py4JError, OSError):
            spark = _started(master, settings)
        if spark is None:
            raise ReactorError(problem)
        try:
            yield spark
        except (PySparkException, Py4JError) as error:
            problem = reason_of(str(error))
        else:
            return
        finally:
            if is_ours:
                with suppress(PySparkException, Py4JError, OSError):
                    spark.stop()
    raise ReactorError(problem)


def reason_of(text: str) -> str:
    """Return what is to be said of a failure on Spark's side: our own error, but no value of an event.

    >>> reason_of("Traceback:\\nreactor.errors.EventError: time: expected a time\\n")
    'time: expected a time'
    """
    raised = _RAISED.search(text)
    return raised[1] if raised else "the job failed on Spark: its log says where"


def _started(master: str | None, settings: Mapping[str, str]) -> SparkSession:
    builder = SparkSession.builder.appName("reactor")
    known = {
        "spark.log.level": "ERROR",
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",  # its own is deprecated
        "spark.sql.session.timeZone": "UTC",
    }
    if master is not None:
        builder = builder.master(master)
        known |= _PRIVATE if master.startswith("local") else {}
    for name, value in {**known, **settings}.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()
